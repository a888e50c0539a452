"""Divides the time of a reload into its parts, from the save to the new definitions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codelocd.documents.locations import TimingDocument


@dataclass(slots=True)
class Timing:
    """Moments of one reload in Unix seconds, None for what did not happen.

    `saved` is the newest time of the files that changed, `noticed` when the watch told of them,
    `decided` when a runner was ordered, `started` when its process was there, `loaded` when its
    snapshot had arrived, or its failure. `importing`: how many seconds of the load were the user's
    imports.
    """

    saved: float | None = None
    noticed: float | None = None
    decided: float | None = None
    started: float | None = None
    loaded: float | None = None
    published: float | None = None
    importing: float | None = None

    def as_json(self) -> TimingDocument:
        """How long each part took, in seconds."""
        event, decision, start, load, publish, total = _between(
            (self.saved, self.noticed),
            (self.noticed, self.decided),
            (self.decided, self.started),
            (self.started, self.loaded),
            (self.loaded, self.published),
            (self.saved or self.noticed or self.decided, self.published or self.loaded),
        )
        after = load - self.importing if load is not None and self.importing else load
        return {
            "event": event,
            "decision": decision,
            "start": start,
            "import": self.importing,
            "snapshot": after,
            "publish": publish,
            "total": total,
        }


def _between(*times: tuple[float | None, float | None]) -> list[float | None]:
    """Seconds from each begin to its end.

    A file that was moved here may carry any time: what cannot be is not known.
    """
    return [
        end - begin if begin is not None and end is not None and 0 <= end - begin < 3600 else None
        for begin, end in times
    ]
