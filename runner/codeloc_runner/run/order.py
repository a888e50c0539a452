"""What a process of the code that is served is told: JSON, as docs/protocol.md has it."""

from __future__ import annotations

from ..process import LoadTarget
from ..wire.json_values import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional


FORMAT = 1


class CodeOrder(LoadTarget):
    """What every process is told that executes the code that is served; `sources` and `modules` are
    empty where nothing is known of it."""

    __slots__ = (
        "code",
        "environment",
        "events_fd",
        "generation",
        "go_fd",
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
        self.go_fd: Optional[int] = given.get("go_fd")
        self.group: Optional[str] = given.get("group")
        self.nice: Optional[int] = given.get("nice")
        self.open_files: Optional[int] = given.get("open_files")
        self.stacks_signal: int = given.get("stacks_signal", 0)


class AttemptOrder(CodeOrder):
    """One attempt of a run."""

    __slots__ = (
        "attempt",
        "checks",
        "config",
        "dagster_parent",
        "dagster_run",
        "done",
        "folder",
        "job",
        "launched",
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
        self.config: Optional[Dict[str, Any]] = given.get("config")
        self.dagster_run: Optional[str] = given.get("dagster_run")
        self.dagster_parent: Optional[str] = given.get("dagster_parent")
        self.launched: bool = given.get("launched", False)
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


class ReportOrder(CodeOrder):
    """Which run of Dagster's has ended without a word, and how."""

    __slots__ = ("cancelled", "dagster_run", "text")

    def __init__(self, location: str, given: Mapping[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError: never a user's mistake."""
        super().__init__(location, given)
        self.dagster_run: str = given["report"]["dagster_run"]
        self.text: str = given["report"]["text"]
        self.cancelled: bool = given["report"]["cancelled"]


KINDS = {"evaluate": EvaluationOrder, "report": ReportOrder}
"""By the key that the others do not have."""


def read_order(location: str, path: str) -> CodeOrder:
    """Raises OSError, KeyError, TypeError or ValueError."""
    with open(path, "rb") as file:
        given = loads(file.read().decode())
    kind = next((KINDS[key] for key in KINDS if key in given), AttemptOrder)
    return kind(location, given)
