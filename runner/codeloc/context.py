"""What a function of a run gets as `context`."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import Arguments
from codeloc.definition import checked_metadata, json_copy

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
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
        "timezone",
        "utc_offset",
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
        timezone: str | None = None,
        utc_offset: float | None = None,
    ) -> None:
        """`scheduled_for`: Unix seconds; `timezone`: in which it is told, UTC unless given.
        `utc_offset`: of that moment there, in seconds, for a Python that knows no zones."""
        self.run = run
        self.attempt = attempt
        self.params = dict(params or {})
        self.tags = dict(tags or {})
        self.scheduled_for = scheduled_for
        self.generation = generation
        self.location = location
        self.timezone = timezone
        self.utc_offset = utc_offset

    def moment(self) -> datetime | None:
        """The time that it is for."""
        if self.scheduled_for is None:
            return None
        import datetime  # for those who ask

        try:
            import zoneinfo  # novm: not in 3.8

            zone: tzinfo = zoneinfo.ZoneInfo(self.timezone or "UTC")
        except (ImportError, KeyError):  # Python 3.8, or no tz database
            offset = datetime.timedelta(seconds=self.utc_offset or 0.0)
            known = self.utc_offset is not None and self.timezone
            zone = datetime.timezone(offset, known or "UTC")
        return datetime.datetime.fromtimestamp(self.scheduled_for, zone)


class RunContext:
    """`run`: its number, 0 in a unit test. `attempt`: from 1. `params`, `tags`: those of the run.
    `scheduled_for`: the time that it is for, in the zone of its schedule; None where no schedule
    started it.
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
        self.generation = facts.generation
        self.location = facts.location
        self.name = definition.name
        self.key = key
        self._facts = facts
        self.metadata: dict[str, Any] = {}
        self._definition = definition

    @property
    def scheduled_for(self) -> datetime | None:
        return self._facts.moment()

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
        self, facts: RunFacts, definition: Definition, last_run: LastRun | None = None
    ) -> None:
        super().__init__(facts, definition, last_run)
        self._facts = facts

    @property
    def scheduled_for(self) -> datetime:
        moment = self._facts.moment()
        assert moment is not None, "a schedule is asked for a time"
        return moment


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
