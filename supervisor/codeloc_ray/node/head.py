"""What a node reads and writes in the table of the cluster's head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codeloc_ray.errors import EngineError

EPOCHS = b"codelocd-epochs"
"""The newest start of each location."""
LEASES = b"codelocd-leases"


def renew(lease: str, count: bytes) -> bool:
    """Whether there was one. Blocks; raises what Ray likes."""
    from ray.experimental import internal_kv

    return bool(
        internal_kv._internal_kv_put(lease.encode(), count, overwrite=True, namespace=LEASES)
    )


def refuse_older(settings: Mapping[str, Any]) -> None:
    """A host that stood still since it was asked to start may be older than what was started
    elsewhere meanwhile. Blocks. Raises EngineError, and what Ray likes."""
    from ray.experimental import internal_kv

    location, epoch, name = settings["location"], settings["epoch"], settings["epochs"]
    newest = int(internal_kv._internal_kv_get(name.encode(), namespace=EPOCHS) or b"0")
    if epoch < newest:
        raise older(location, epoch, newest)


def older(location: str, epoch: int, newest: int) -> EngineError:
    """What a start is refused with that is out of date."""
    what = f"{location}: start {epoch} is older than {newest}, which was there already"
    return EngineError("usage", what, "stale")
