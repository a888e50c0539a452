"""Stories of one location, told to the pure state machine with a clock of our own."""

from __future__ import annotations

from pathlib import Path

from codeloc_envs import Choice, Environment, Specification
from codeloc_envs.request import EnvironmentKind
from codelocd.core.events import (
    DeadlinePassed,
    Effect,
    EnvironmentReady,
    Event,
    Exited,
    Launched,
    Loaded,
    LoadFailed,
    SourcesChanged,
    Started,
)
from codelocd.core.state import State
from codelocd.core.transitions import step
from codelocd.model import BuildId, Cold, Phase, Policy, Problem, RunnerId

LOAD = Problem("load", "SyntaxError (defs.py:1)", at=1.0)
CRASH = Problem("crash", "the runner was killed by SIGKILL", at=1.0)
INSTALLER = Problem("environment", "no such package: nope", at=1.0)
LOST = Problem("crash", "the environment was removed from the store", at=1.0)
SETS = Cold("it sets the variable X")
CRASHED = Cold("it crashed after a fork", "sales crashed after a fork")
POLICY = Policy()
CHOICE = Choice(
    Specification(EnvironmentKind.PACKAGES, Path("/p")), "asked for", (Path("/p/uv.lock"),)
)
ENVIRONMENT = Environment("key", Path("/e"), "3.12.1", Path("/e/bin/python"), "built")


class Story:
    """A location's state and what it asked for, under a clock that only moves when told."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.state = State()
        self.policy = policy
        self.now = 1000.0
        self.effects: list[Effect] = []

    @property
    def candidate(self) -> RunnerId:
        """The runner that loads."""
        assert self.state.candidate is not None
        return self.state.candidate

    @property
    def runner(self) -> RunnerId:
        """The runner that serves."""
        assert self.state.serving is not None
        return self.state.serving

    @property
    def build(self) -> BuildId:
        """The environment that is prepared."""
        assert self.state.build is not None
        return self.state.build

    def tell(self, event: Event) -> Story:
        self.state, effects = step(self.state, event, self.now, self.policy)
        self.effects = list(effects)
        return self

    def wait(self, seconds: float) -> Story:
        self.now += seconds
        return self

    def until_deadline(self) -> Story:
        assert self.state.deadline is not None
        self.now = max(self.now, self.state.deadline)
        return self.tell(DeadlinePassed())

    def environment_ready(self) -> Story:
        return self.tell(EnvironmentReady(self.build, ENVIRONMENT))

    def loaded(self, *, current: bool = True, locked: bool = False) -> Story:
        candidate = self.candidate
        self.tell(Launched(candidate))
        return self.tell(Loaded(candidate, current, locked))

    def load_failed(self) -> Story:
        return self.tell(LoadFailed(self.candidate, LOAD))

    def exited(self, runner: int | None) -> Story:
        assert runner is not None
        return self.tell(Exited(RunnerId(runner), CRASH))

    def serving(self) -> Story:
        self.tell(Started())
        if self.state.phase is Phase.BUILDING:
            self.environment_ready()
        return self.loaded()

    def saved(self, differing: int = 1, *, locked: bool = False) -> Story:
        return self.tell(SourcesChanged(differing, locked=locked))
