"""What one attempt is told by the daemon: a JSON document, docs/protocol.md has it."""

from __future__ import annotations

from ..process import LoadTarget
from ..wire.json_values import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional


FORMAT = 1


class AttemptOrder(LoadTarget):
    """One attempt; `sources` and `modules` are None where nothing is known of what is served."""

    __slots__ = (
        "attempt",
        "checks",
        "code",
        "done",
        "environment",
        "events_fd",
        "folder",
        "generation",
        "group",
        "job",
        "life_fd",
        "modules",
        "nice",
        "open_files",
        "params",
        "parent",
        "repository",
        "run",
        "scheduled_for",
        "select",
        "sources",
        "stacks_signal",
        "tags",
        "upstream",
        "values",
    )

    def __init__(self, location: str, given: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError: never a user's mistake."""
        super().__init__(location, given)
        if given["format"] != FORMAT:
            raise ValueError(f"the order is of format {given['format']}, expected {FORMAT}")
        self.run: int = given["run"]
        self.attempt: int = given["attempt"]
        self.folder: str = given["folder"]
        self.repository: str = given["repository"]
        self._read_choice(given)
        self._read_process(given)
        self.scheduled_for: Optional[float] = given.get("scheduled_for")
        self.generation: Optional[int] = given.get("generation")
        self.environment: Optional[str] = given.get("environment")
        self.values: Optional[str] = given.get("values")
        self.code: Optional[str] = given.get("code")
        manifest = given.get("manifest") or {}
        self.sources: Dict[str, str] = manifest.get("sources", {})
        self.modules: Dict[str, str] = manifest.get("modules", {})

    def _read_choice(self, given: Mapping[str, Any]) -> None:
        self.job: Optional[str] = given.get("job")
        self.select: Optional[List[str]] = given.get("select")
        self.params: Dict[str, Any] = given.get("params", {})
        self.tags: Dict[str, str] = given.get("tags", {})
        self.upstream: bool = given.get("upstream", False)
        self.checks: str = given.get("checks", "with")
        self.done: List[str] = given.get("done", [])

    def _read_process(self, given: Mapping[str, Any]) -> None:
        self.parent: Optional[int] = given.get("parent")
        self.life_fd: Optional[int] = given.get("life_fd")
        self.events_fd: Optional[int] = given.get("events_fd")
        self.group: Optional[str] = given.get("group")
        self.nice: Optional[int] = given.get("nice")
        self.open_files: Optional[int] = given.get("open_files")
        self.stacks_signal: int = given.get("stacks_signal", 0)


def read_order(location: str, path: str) -> AttemptOrder:
    """Raises OSError, KeyError, TypeError or ValueError."""
    with open(path, "rb") as file:
        return AttemptOrder(location, loads(file.read().decode()))
