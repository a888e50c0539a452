"""What a function of a run gets as `context`."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import Arguments
from codeloc.definition import checked_metadata

if TYPE_CHECKING:
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
        import logging  # milliseconds, for those who ask

        logger = logging.getLogger(f"codeloc.{self.name}")
        above = logging.getLogger("codeloc")
        if above.level == logging.NOTSET:
            above.setLevel(logging.INFO)
        if not logger.hasHandlers():
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
            above.addHandler(handler)
        return logger
