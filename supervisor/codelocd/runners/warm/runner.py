"""A runner that may have had a warm start: what its load tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.model import Cold, Exit, StartMethod
from codelocd.runners.api import (
    Good,
    LoadOutcome,
    MustStartCold,
    RunnerSpec,
    WrappedRunner,
    hangs_after,
)
from codelocd.runners.local import LocalRunner
from codelocd.runners.warm.method import MethodChoice
from codelocd.runners.warm.profile import Imports


@dataclass(frozen=True, slots=True)
class Load:
    """A good load: what it imported, the variables that its imports read, how long it took.

    `changed`: the variables and `sys.path`, if its code did so; `sys.modules`, if it may have.
    """

    imports: Imports
    variables: frozenset[str]
    changed: frozenset[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Divergence:
    """Something that a location's code does, which packages that are there already missed."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """Where a runner's news goes: `loaded` at the end of a good load, with what it imported;
    `ended` when there is none; `diverged` when a cold start may end otherwise.
    """

    loaded: Callable[[Load], None]
    ended: Callable[[], None]
    diverged: Callable[[Divergence], None]


class WarmRunner(WrappedRunner):
    """A runner, how it was started, and who learns from its load."""

    def __init__(
        self,
        runner: LocalRunner,
        spec: RunnerSpec,
        choice: MethodChoice,
        *,
        report: Report,
        former_seconds: float,
    ) -> None:
        super().__init__(runner)
        self._answer = runner.answer
        self._choice = choice
        self._spec = spec
        self._report = report
        self._hangs_after = hangs_after(former_seconds, spec.start_timeout)
        self._told = False
        runner.exited.add_done_callback(lambda _: self._ends())

    @property
    def start_method(self) -> StartMethod:
        return self._choice.method

    @property
    def why(self) -> str:
        return self._choice.why

    async def load(self) -> LoadOutcome:
        limit = self._hangs_after if self.start_method == "fork" else None
        try:
            async with asyncio.timeout(limit):
                answer = await self._answer()
        except TimeoutError:
            return MustStartCold(self._suspicion("did not finish loading after a fork"))
        if answer.seen["divergence"] is not None:
            divergence = Divergence(**answer.seen["divergence"])
            self._report.diverged(divergence)
            return MustStartCold(Cold(divergence.why))
        self._tell(answer.outcome, answer.seen)
        return answer.outcome

    def blamed(self, end: Exit) -> Cold | None:
        if self._told or self.start_method != "fork":
            return None
        return self._suspicion(f"{_told(end)} while loading after a fork")

    def _suspicion(self, what: str) -> Cold:
        what = f"{self._spec.location} {what}"
        return Cold(what, suspicion=what)

    def _tell(self, outcome: LoadOutcome, seen: Mapping[str, Any]) -> None:
        if self._told:
            return
        self._told = True
        if not isinstance(outcome, Good):
            self._report.ended()
            return
        imports = Imports(tuple(seen["modules"]), tuple(seen["named"]))
        variables, changed = frozenset(seen["variables"]), frozenset(seen["changed"])
        self._report.loaded(Load(imports, variables, changed, seen["seconds"]))

    def _ends(self) -> None:
        if not self._told:
            self._report.ended()


def _told(end: Exit) -> str:
    return f"was ended by signal {end.signal}" if end.signal else f"exited with {end.status}"
