"""The actor on a node. Ray sends its class by value; it has the rest from the archive it is given.

It may import nothing of this package before the archive is unpacked.
"""

from __future__ import annotations

from typing import Any


class Host:
    """One runner's: there is one for each location and epoch."""

    def __init__(self, archive: bytes, digest: str, settings: dict[str, Any]) -> None:
        """`archive`: this package as a zip file, kept on the node by its `digest`."""
        import os
        import sys
        import tempfile
        import zipfile
        from io import BytesIO

        store = os.environ.get("CODELOCD_NODE_STORE") or os.path.expanduser(settings["store"])
        folder = os.path.join(store, "engine", digest)
        if not os.path.isdir(folder):
            os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
            draft = tempfile.mkdtemp(prefix=".draft-", dir=os.path.dirname(folder))
            with zipfile.ZipFile(BytesIO(archive)) as packed:
                packed.extractall(draft)
            try:
                os.rename(draft, folder)
            except OSError:
                if not os.path.isdir(folder):  # another host was first
                    raise
        sys.path.insert(0, folder)
        from codeloc_ray.node.supervisor import Supervisor

        self._supervisor = Supervisor({**settings, "store": store})

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """`{"result": …}` or `{"error": …}`: nothing is raised that the other end would have to
        unpickle."""
        return await self._supervisor.ask(method, params)
