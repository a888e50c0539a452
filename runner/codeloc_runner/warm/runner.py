"""A runner in a process that was warm, as if it had just been started."""

from __future__ import annotations

from .. import main, surroundings
from ..settings import Settings
from . import fresh
from .acceptance import accepted
from .departure import departure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from .acceptance import Verdict
    from .warmth import Warmth


def become(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, verdict: Verdict) -> None:
    """Live as the runner that was ordered; returns only where it has to refuse."""
    listening, *own = descriptors
    settings = Settings(order["location"], order["settings"])
    settings.socket_fd = listening
    path = surroundings.search_path(settings, warmth.path)
    if not accepted(settings.working_directory, path, own, warmth, verdict):
        return
    fresh.arrange([order["location"], order["settings"]], order["variables"], warmth.added)
    main.live(
        settings,
        [*warmth.first, *path],
        warmth.modules,
        lambda changed, good: departure(changed, good, warmth),
    )
