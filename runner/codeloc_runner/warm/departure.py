"""What a load did that packages would have noticed, had they not been imported before it."""

from __future__ import annotations

import sys

from ..changes import MODULES, SEARCH_PATH
from .obstacles import replacement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional, Tuple

    from .warmth import Warmth


def departure(changed: List[str], good: bool, warmth: Warmth) -> Optional[Dict[str, str]]:
    """The first cause why a cold start may end otherwise: `what`, and `why` as a sentence.

    Whether the load did it before or after its imports does not show.
    """
    for what, why in causes(changed, good, warmth):
        return {"what": what, "why": why}
    return None


def causes(changed: List[str], good: bool, warmth: Warmth) -> Iterator[Tuple[str, str]]:
    for name in changed:
        if name in warmth.read or name.startswith(warmth.decisive):
            yield name, f"it sets the variable {name}, which packages read as they are imported"
    if SEARCH_PATH in changed:
        why = replacement([entry for entry in sys.path if isinstance(entry, str)], warmth)
        if why is not None:
            yield SEARCH_PATH, f"it changes sys.path, and {why}"
    if MODULES in changed:  # to look at all would copy the memory that they lie in
        for name in replaced(warmth):
            yield MODULES, f"it puts another module in the place of {name}"
    for name in warmth.failed:
        if name in sys.modules or not good:
            yield name, f"{name} cannot be imported before its code"


def replaced(warmth: Warmth) -> Iterator[str]:
    for name, module in warmth.shared.items():
        if sys.modules.get(name, module) is not module:
            yield name
