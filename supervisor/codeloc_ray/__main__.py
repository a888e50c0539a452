"""`python codeloc_ray/__main__.py DESCRIPTOR`: the bridge of the daemon that has the other end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


async def main(descriptor: int) -> None:
    """Until the daemon is gone. Ray is imported once its token and the like are known, which it
    reads at its import."""
    from codeloc_ray.connecting import prepare
    from codeloc_ray.errors import EngineError
    from codeloc_ray.wire import DaemonConnection

    daemon = await DaemonConnection.at(descriptor)
    answer = None

    async def answered(method: str, params: Mapping[str, Any]) -> Any:
        nonlocal answer
        if answer is None:
            if method != "hello":
                raise EngineError("usage", "say hello first")
            await asyncio.to_thread(prepare, params["settings"])
            from codeloc_ray.bridge import RayBridge

            answer = RayBridge(daemon).answer
        return await answer(method, params)

    await daemon.serve(answered)


if __name__ == "__main__":
    # What stands beside this package belongs to the daemon's Python: it must come last.
    sys.path[0] = PACKAGES
    import codeloc_ray

    sys.path.pop(0)
    assert codeloc_ray.__path__  # its own modules are found from here on
    asyncio.run(main(int(sys.argv[1])))
    os._exit(0)  # Ray's threads wait for a head that may be away
