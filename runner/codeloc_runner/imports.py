"""What a load imported that is not the location's own: what a warm interpreter may share."""

from __future__ import annotations

import os
import sys

from .sources import KIT, is_installed, is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List

    from .settings import Settings

OURS = __name__.partition(".")[0]
NEVER = frozenset({"__main__", "__mp_main__", OURS})


def report(
    settings: Settings, known: AbstractSet[str], mentioned: AbstractSet[str]
) -> Dict[str, Any]:
    """`modules` were imported by this load, in order; `named` are those of packages that the
    location's code names itself. A location that is an installed module is never shared.
    """
    own = "" if settings.kind == "python_file" else settings.value.partition(".")[0]
    added = [name for name in list(sys.modules) if name not in known]
    return {
        "modules": [name for name in added if is_shareable(name, own)],
        "named": [
            name for name in sorted(mentioned) if is_packaged(name) and is_shareable(name, own)
        ],
    }


def is_shareable(name: str, own: str) -> bool:
    first = name.partition(".")[0]
    if first in NEVER or first == own:
        return False
    places = origins(name)
    return bool(places) and not any(os.path.isabs(one) and is_source(one) for one in places)


def is_packaged(name: str) -> bool:
    return any(one.startswith(KIT) or is_installed(one) for one in origins(name))


def origins(name: str) -> List[str]:
    """Where a module came from, its folders if it is but a namespace; [] if nobody knows.

    Asked without setting off a lazy module, whose every attribute would import it.
    """
    module: Any = sys.modules.get(name)
    try:
        spec = object.__getattribute__(module, "__dict__").get("__spec__")
        if spec.origin is not None:
            return [str(spec.origin)]
        return [os.path.join(folder, "") for folder in spec.submodule_search_locations or ()]
    except Exception:  # noqa: BLE001  whatever user code has put there
        return []
