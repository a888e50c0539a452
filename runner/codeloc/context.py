"""What a function of a run gets as `context`."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import Arguments
from codeloc.definition import checked_metadata, json_copy

if TYPE_CHECKING:
    from datetime import datetime
    from logging import Logger
    from typing import Any, Mapping

    from codeloc.arguments import Key
    from codeloc.definition import Definition


class RunFacts:
    """What is the same for all functions of one attempt; see `RunContext`."""

    __slots__ = (
        "attempt",
        "generation",
        "location",
        "params",
        "run",
        "scheduled_for",
        "tags",
    )

    def __init__(
        self,
        *,
        run: int = 0,
        attempt: int = 1,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        scheduled_for: float | None = None,
        generation: int | None = None,
        location: str | None = None,
    ) -> None:
        self.run = run
        self.attempt = attempt
        self.params = dict(params or {})
        self.tags = dict(tags or {})
        self.scheduled_for = scheduled_for
        self.generation = generation
        self.location = location


class RunContext:
    """`run`: its number, 0 in a unit test. `attempt`: from 1. `params`, `tags`: those of the run.
    `scheduled_for`: Unix seconds of the time that it is for, None where no schedule started it.
    `generation`, `location`: the code that runs, None in a unit test. `name`: the definition's;
    `key`: of an asset, None elsewhere. `metadata`: what was added.
    """

    def __init__(
        self,
        facts: RunFacts,
        definition: Definition,
        key: Key | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.run = facts.run
        self.attempt = facts.attempt
        self.params = {**facts.params, **(params or {})}
        self.tags = dict(facts.tags)
        self.scheduled_for = facts.scheduled_for
        self.generation = facts.generation
        self.location = facts.location
        self.name = definition.name
        self.key = key
        self.metadata: dict[str, Any] = {}
        self._definition = definition

    def add_metadata(self, metadata: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Tell something of what was made, by name: what JSON can hold. Raises DefinitionsError."""
        arguments = Arguments(f"add_metadata in {self._definition}")
        found = {**arguments.mapping("metadata", metadata), **more}
        self.metadata.update(checked_metadata(arguments, found))

    @property
    def log(self) -> Logger:
        """A logger of its own name. Where nothing handles it, it prints to standard error."""
        return logger_of(self.name)


class LastRun:
    """The newest run that a schedule or a sensor has started: its number `id`, its `state` and its
    `key`; `queued` and `ended` in Unix seconds, `ended` None while it goes on.
    """

    __slots__ = ("ended", "id", "key", "queued", "state")

    def __init__(
        self,
        *,
        id: int,  # noqa: A002  as the documents of runs have it
        state: str,
        key: str | None = None,
        queued: float = 0.0,
        ended: float | None = None,
    ) -> None:
        self.id = id
        self.state = state
        self.key = key
        self.queued = queued
        self.ended = ended

    def __repr__(self) -> str:
        return f"<run {self.id}: {self.state}>"


class StarterContext:
    """`last_run`: a LastRun, or None. `generation`, `location`: the code that runs, None in a unit
    test. `name`: the definition's.
    """

    def __init__(
        self, facts: RunFacts, definition: Definition, last_run: LastRun | None = None
    ) -> None:
        self.name = definition.name
        self.last_run = last_run
        self.generation = facts.generation
        self.location = facts.location
        self._definition = definition

    @property
    def log(self) -> Logger:
        """A logger of its own name. Where nothing handles it, it prints to standard error."""
        return logger_of(self.name)


class ScheduleContext(StarterContext):
    """`scheduled_for`: the time that is due, in the schedule's zone."""

    def __init__(
        self,
        facts: RunFacts,
        definition: Definition,
        scheduled_for: datetime,
        last_run: LastRun | None = None,
    ) -> None:
        super().__init__(facts, definition, last_run)
        self.scheduled_for = scheduled_for


class SensorContext(StarterContext):
    """`cursor`: what the sensor has set it to the last time, None at first: anything that JSON can
    hold. What it is set to is kept if the function ends without an exception, together with the
    runs that it asked for.
    """

    def __init__(
        self,
        facts: RunFacts,
        definition: Definition,
        cursor: Any = None,
        last_run: LastRun | None = None,
    ) -> None:
        super().__init__(facts, definition, last_run)
        self.cursor = cursor

    def kept(self) -> Any:
        """The cursor, of JSON's own types. Raises DefinitionsError."""
        return json_copy(Arguments(str(self._definition)), "cursor", self.cursor)


def logger_of(name: str) -> Logger:
    import logging  # milliseconds, for those who ask

    logger = logging.getLogger(f"codeloc.{name}")
    above = logging.getLogger("codeloc")
    if above.level == logging.NOTSET:
        above.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        above.addHandler(handler)
    return logger
