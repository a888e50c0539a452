"""Where the time of a reload goes, from the save to the new definitions. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Timing:
    """Moments of one reload in Unix seconds, None for what did not happen.

    `saved` is the newest time of the files that changed, `noticed` when the watch told of them,
    `decided` when a runner was ordered, `started` when its process was there, `loaded` when its
    snapshot had arrived. `importing`: how many seconds of the load were the user's imports.
    """

    saved: float | None = None
    noticed: float | None = None
    decided: float | None = None
    started: float | None = None
    loaded: float | None = None
    published: float | None = None
    importing: float | None = None

    def stages(self) -> Stages:
        """How long each part took."""
        event, decision, start, load, publish, total = _between(
            (self.saved, self.noticed),
            (self.noticed, self.decided),
            (self.decided, self.started),
            (self.started, self.loaded),
            (self.loaded, self.published),
            (self.saved or self.noticed or self.decided, self.published),
        )
        after = load - self.importing if load is not None and self.importing else load
        return Stages(event, decision, start, self.importing, after, publish, total)

    def as_json(self) -> dict[str, float | None]:
        """In seconds; `import` is a keyword only here."""
        stages = asdict(self.stages())
        return {("import" if name == "importing" else name): each for name, each in stages.items()}


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds of each part of a reload, None where it is not known."""

    event: float | None
    decision: float | None
    start: float | None
    importing: float | None
    snapshot: float | None
    publish: float | None
    total: float | None


def _between(*times: tuple[float | None, float | None]) -> list[float | None]:
    """Seconds from each begin to its end.

    A file that was moved here may carry any time: what cannot be is not known.
    """
    return [
        end - begin if begin is not None and end is not None and 0 <= end - begin < 3600 else None
        for begin, end in times
    ]
