"""What a daemon has told of itself and of its locations, changed by each event of `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from codelocd.documents.events import FullStatus, StatusNews, UsageDocument
    from codelocd.documents.locations import DaemonStatus, LocationStatus


class KnownState:
    """The document of `status`, kept up to date. Empty until the daemon has told the full state."""

    def __init__(self) -> None:
        self.daemon: DaemonStatus | None = None
        self.locations: dict[str, LocationStatus] = {}

    def replace(self, full: FullStatus) -> None:
        self.daemon = full["daemon"]
        self.locations = {each["name"]: each for each in full["locations"]}

    def change(self, news: StatusNews) -> str | None:
        """Take over what happened; the name of a location that is no longer in the config."""
        entry, location = news["event"], news["location"]
        if self.daemon is not None and "config" in news:
            self.daemon["config"] = news["config"]
        if location is not None:
            before = self.locations.get(location["name"])
            if before is not None:  # events are without what is sampled
                location["memory"], location["cpu"] = before["memory"], before["cpu"]
            self.locations[location["name"]] = location
            return None
        name = entry["location"]
        if name is not None:
            self.locations.pop(name, None)
        return name

    def sample(self, usage: UsageDocument) -> None:
        """Take over what the runners use: bytes, and the share of one core."""
        for name, sample in usage["locations"].items():
            location = self.locations.get(name)
            if location is not None:
                memory, cpu = cast("tuple[int | None, float | None]", sample or (None, None))
                self.locations[name] = {**location, "memory": memory, "cpu": cpu}
