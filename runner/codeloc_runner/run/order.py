"""What one attempt or one evaluation is told by the daemon: JSON, as docs/protocol.md has it."""

from __future__ import annotations

from ..process import LoadTarget
from ..wire.json_values import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Union


FORMAT = 1


class CodeOrder(LoadTarget):
    """What every process is told that executes the code that is served; `sources` and `modules` are
    empty where nothing is known of it."""

    __slots__ = (
        "code",
        "environment",
        "events_fd",
        "generation",
        "group",
        "life_fd",
        "modules",
        "nice",
        "open_files",
        "parent",
        "repository",
        "scheduled_for",
        "sources",
        "stacks_signal",
        "timezone",
        "utc_offset",
    )

    def __init__(self, location: str, given: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError: never a user's mistake."""
        super().__init__(location, given)
        if given["format"] != FORMAT:
            raise ValueError(f"the order is of format {given['format']}, expected {FORMAT}")
        self.repository: str = given["repository"]
        self._read_process(given)
        self.scheduled_for: Optional[float] = given.get("scheduled_for")
        self.timezone: Optional[str] = given.get("timezone")
        self.utc_offset: Optional[float] = given.get("utc_offset")
        self.generation: Optional[int] = given.get("generation")
        self.environment: Optional[str] = given.get("environment")
        self.code: Optional[str] = given.get("code")
        manifest = given.get("manifest") or {}
        self.sources: Dict[str, str] = manifest.get("sources", {})
        self.modules: Dict[str, str] = manifest.get("modules", {})

    def _read_process(self, given: Mapping[str, Any]) -> None:
        self.parent: Optional[int] = given.get("parent")
        self.life_fd: Optional[int] = given.get("life_fd")
        self.events_fd: Optional[int] = given.get("events_fd")
        self.group: Optional[str] = given.get("group")
        self.nice: Optional[int] = given.get("nice")
        self.open_files: Optional[int] = given.get("open_files")
        self.stacks_signal: int = given.get("stacks_signal", 0)


class AttemptOrder(CodeOrder):
    """One attempt of a run."""

    __slots__ = (
        "attempt",
        "checks",
        "done",
        "folder",
        "job",
        "params",
        "run",
        "select",
        "tags",
        "upstream",
        "values",
    )

    def __init__(self, location: str, given: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError: never a user's mistake."""
        super().__init__(location, given)
        self.run: int = given["run"]
        self.attempt: int = given["attempt"]
        self.folder: str = given["folder"]
        self.values: Optional[str] = given.get("values")
        self.job: Optional[str] = given.get("job")
        self.select: Optional[List[str]] = given.get("select")
        self.params: Dict[str, Any] = given.get("params", {})
        self.tags: Dict[str, str] = given.get("tags", {})
        self.upstream: bool = given.get("upstream", False)
        self.checks: str = given.get("checks", "with")
        self.done: List[str] = given.get("done", [])


class EvaluationOrder(CodeOrder):
    """One evaluation of a schedule's or a sensor's function."""

    __slots__ = ("cursor", "last_run", "name", "result")

    def __init__(self, location: str, given: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError: never a user's mistake."""
        super().__init__(location, given)
        self.name: str = given["evaluate"]
        self.result: str = given["result"]
        self.cursor: Any = given.get("cursor")
        self.last_run: Optional[Dict[str, Any]] = given.get("last_run")


def read_order(location: str, path: str) -> Union[AttemptOrder, EvaluationOrder]:
    """Raises OSError, KeyError, TypeError or ValueError."""
    with open(path, "rb") as file:
        given = loads(file.read().decode())
    return (EvaluationOrder if "evaluate" in given else AttemptOrder)(location, given)
