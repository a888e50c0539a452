"""Random walks over the state machine: whatever happens, what must hold holds."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from codelocd.core.events import (
    CancelBuild,
    Condemned,
    DeadlinePassed,
    Diverged,
    Effect,
    EnvironmentChosen,
    EnvironmentFailed,
    EnvironmentLost,
    EnvironmentReady,
    Event,
    Exited,
    Explain,
    Follow,
    Inspect,
    Kill,
    Launch,
    Launched,
    LimitMetBeside,
    Loaded,
    LoadFailed,
    PolicyChanged,
    Prepare,
    Publish,
    Recall,
    ReloadAsked,
    Remembered,
    RestartAsked,
    Restore,
    Retire,
    Reverted,
    SourcesChanged,
    Started,
    Stopped,
    Suspect,
    Withdraw,
)
from codelocd.core.state import State
from codelocd.core.transitions import step
from codelocd.model import BuildId, Ended, Exit, Phase, Policy, RunnerId, Snapshot
from tests.supervisor import invariants
from tests.supervisor.stories import (
    CHOICE,
    CRASH,
    CRASHED,
    ENVIRONMENT,
    INSTALLER,
    LOAD,
    LOST,
    SETS,
)

SNAPSHOT = Snapshot("native", "3.12.1", 0.1, (), {})
END = Ended(7, Exit(signal=9), 1.0)


class Walk(RuleBasedStateMachine):
    """Plays the world: runners that exist, builds under way, and everything that may happen.

    An event that an effect leads to waits for its turn, as in the daemon's loop.
    """

    steps = 0
    """Events that were taken, in all walks together."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.policy = Policy()
        self.now = 0.0
        self.queue: deque[Event] = deque()
        self.runners: set[RunnerId] = set()
        self.started: set[RunnerId] = set()
        self.builds: set[BuildId] = set()
        self.all_builds: set[BuildId] = set()
        self.published: RunnerId | Snapshot | None = None
        self.kept = False
        self.ever: set[RunnerId] = set()
        self.warm = False
        self.followed: tuple[str, ...] = ()
        self.described: State | None = None

    @initialize(restart=st.sampled_from(["on-failure", "never"]))
    def policy_is(self, restart: Literal["on-failure", "never"]) -> None:
        self.policy = replace(Policy(), restart=restart)

    def tell(self, event: Event) -> None:
        self.queue.append(event)
        while self.queue:
            type(self).steps += 1
            self.state, effects = step(self.state, self.queue.popleft(), self.now, self.policy)
            for effect in effects:
                self.carry_out(effect)

    def carry_out(self, effect: Effect) -> None:
        match effect:
            case Prepare(build):
                assert not self.builds, "two builds at a time"
                self.builds.add(build)
                self.all_builds.add(build)
            case CancelBuild(build):
                self.builds.remove(build)
            case Launch(runner, cold):
                if cold is not None:
                    assert self.warm, "a second try is made of a first one alone"
                self.warm = cold is None
                assert runner not in self.ever, "a number was used twice"
                assert self.state.environment is not None, "there is nothing to start it in"
                self.ever.add(runner)
                self.runners.add(runner)
            case Publish(runner):
                assert runner in self.started, "published a runner that is not there"
                self.published = runner
            case Withdraw():
                self.published = None
            case Recall():
                if self.kept:
                    self.queue.append(Remembered(SNAPSHOT))
            case Restore(snapshot):
                assert self.published is None, "what serves was replaced by what was kept"
                self.published = snapshot
            case Kill(runner):
                self.killed(runner)
            case Follow():
                self.followed = self.state.read
            case Suspect(runner):
                assert not self.warm, "a load that went well after a warm start is no reason"
                assert runner in self.started
            case Inspect(runner) | Explain(runner) | Retire(runner):
                assert runner in self.started, "ordered about a runner that is not there"

    def killed(self, runner: RunnerId) -> None:
        """One that was not started yet, or could not be, has ended at once."""
        assert runner in self.ever
        if runner not in self.started:
            self.runners.discard(runner)
            self.queue.append(Exited(runner, CRASH))
        else:
            assert runner in self.runners, "killed a runner that is gone"

    @rule(
        event=st.sampled_from(
            [Started(), Stopped(), RestartAsked(), ReloadAsked(), DeadlinePassed()]
        )
    )
    def wish(self, event: Event) -> None:
        self.tell(event)

    @rule(restart=st.sampled_from(["on-failure", "never"]), timeout=st.sampled_from([1.0, 600.0]))
    def other_rules(self, restart: Literal["on-failure", "never"], timeout: float) -> None:
        former = self.policy
        self.policy = replace(former, restart=restart, start_timeout=timeout, build_timeout=timeout)
        self.tell(PolicyChanged(former))

    @rule(differing=st.integers(0, 3), inputs=st.booleans(), locked=st.booleans())
    def save(self, differing: int, inputs: bool, locked: bool) -> None:
        self.tell(SourcesChanged(differing, inputs, locked))

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.2, 3.0, 70.0, 2000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.state.deadline is not None and self.now >= self.state.deadline:
            self.tell(DeadlinePassed())

    @rule(kept=st.booleans())
    def earlier_daemon_has_kept_definitions(self, kept: bool) -> None:
        self.kept = kept

    @rule()
    def late_memory(self) -> None:
        """Nothing is listed in place of what is."""
        self.tell(Remembered(SNAPSHOT))

    @rule()
    def all_goes_well(self) -> None:
        """Chance alone seldom leads to a runner that serves, where most of the rules matter."""
        self.tell(Started())
        for build in tuple(self.builds):
            self.builds.remove(build)
            self.tell(EnvironmentReady(build, ENVIRONMENT))
        runner = self.state.candidate
        if runner is not None:
            self.started.add(runner)
            self.tell(Launched(runner))
            self.tell(Loaded(runner, current=True))

    @rule()
    def another_description_is_tried(self) -> None:
        self.described = self.state
        self.tell(ReloadAsked())

    @precondition(lambda self: self.described is not None)
    @rule()
    def and_is_taken_back(self) -> None:
        assert self.described is not None
        serving = self.state.serving
        self.tell(Reverted(self.described))
        assert self.state.serving == serving, "what serves goes on"
        self.described = None

    @precondition(lambda self: self.ended_builds)
    @rule(data=st.data())
    def late_news_of_a_build_change_nothing(self, data: st.DataObject) -> None:
        build = data.draw(st.sampled_from(sorted(self.ended_builds)))
        before = self.state
        self.tell(EnvironmentChosen(build, CHOICE, ()))
        self.tell(EnvironmentReady(build, ENVIRONMENT))
        self.tell(EnvironmentFailed(build, INSTALLER))
        assert self.state == before

    @property
    def ended_builds(self) -> set[BuildId]:
        return self.all_builds - self.builds

    @precondition(lambda self: self.builds)
    @rule()
    def build_is_chosen(self) -> None:
        (build,) = self.builds
        self.tell(EnvironmentChosen(build, CHOICE, CHOICE.inputs))
        assert (self.state.choice, self.state.inputs) == (CHOICE, CHOICE.inputs)

    @precondition(lambda self: self.builds)
    @rule(how=st.sampled_from(["good", "bad", "passing"]))
    def build_ends(self, how: str) -> None:
        build = self.builds.pop()
        if how == "good":
            self.tell(EnvironmentReady(build, ENVIRONMENT))
        else:
            self.tell(EnvironmentFailed(build, INSTALLER, how == "passing"))

    @precondition(lambda self: self.runners - self.started)
    @rule(data=st.data(), how=st.sampled_from(["launched", "lost", "failed", "missing"]))
    def start_ends(self, data: st.DataObject, how: str) -> None:
        runner = data.draw(st.sampled_from(sorted(self.runners - self.started)))
        if how == "launched":
            self.started.add(runner)
            self.tell(Launched(runner))
            return
        if how == "missing":  # its working directory: Kill is answered for what never was
            self.tell(LoadFailed(runner, LOAD))
            return
        self.runners.remove(runner)
        if how == "lost":
            self.tell(EnvironmentLost(runner, LOST))
        else:
            self.tell(Exited(runner, CRASH))

    @precondition(lambda self: self.started)
    @rule(
        data=st.data(),
        what=st.sampled_from(
            [
                "good",
                "old",
                "locked",
                "diverged",
                "bad",
                "bad, old",
                "sick",
                "server sick",
                "exit",
                "blamed",
            ]
        ),
        read=st.sampled_from([(), ("a",), ("b", "a")]),
    )
    def runner_reports(self, data: st.DataObject, what: str, read: tuple[str, ...]) -> None:
        runner = data.draw(st.sampled_from(sorted(self.started)))
        if what in ("exit", "blamed"):
            self.runners.remove(runner)
            self.started.remove(runner)
        told: dict[str, Event] = {
            "good": Loaded(runner, current=True, read=read),
            "old": Loaded(runner, current=False, read=read),
            "locked": Loaded(runner, current=True, locked=True, read=read),
            "diverged": Diverged(runner, SETS),
            "blamed": Exited(runner, CRASH, ended=END, cold=CRASHED),
            "bad": LoadFailed(runner, LOAD, read),
            "bad, old": LoadFailed(runner, LOAD, read, current=False),
            "sick": Condemned(runner, CRASH),
            "server sick": LimitMetBeside(CRASH),
            "exit": Exited(runner, CRASH, ended=END),
        }
        self.tell(told[what])

    @precondition(lambda self: self.ever - self.runners)
    @rule(data=st.data())
    def late_news_change_nothing(self, data: st.DataObject) -> None:
        """Of a runner that is gone."""
        runner = data.draw(st.sampled_from(sorted(self.ever - self.runners)))
        before = self.state
        for event in (
            Launched(runner),
            Loaded(runner, current=True, read=("late",)),
            LoadFailed(runner, LOAD, ("late",)),
            Diverged(runner, SETS),
            Condemned(runner, CRASH),
            EnvironmentLost(runner, LOST),
            Exited(runner, CRASH),
        ):
            self.tell(event)
        assert self.state == before

    @invariant()
    def what_holds_of_every_location_holds(self) -> None:
        invariants.hold(
            self.state,
            runners=self.runners,
            builds=self.builds,
            listed=self.published is not None,
        )

    @invariant()
    def what_serves_is_what_was_published(self) -> None:
        if self.state.serving is not None:
            assert self.state.serving == self.published

    @invariant()
    def what_is_followed_is_what_the_loads_have_read(self) -> None:
        assert self.followed == self.state.read

    @invariant()
    def restart_never_means_that_nothing_is_planned_by_itself(self) -> None:
        if self.policy.restart == "never":
            assert self.state.phase is not Phase.BACKOFF


TestWalks = Walk.TestCase
TestWalks.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_steps() -> None:
    before = Walk.steps
    every = settings(max_examples=1500, stateful_step_count=100, deadline=None, database=None)
    run_state_machine_as_test(Walk, settings=every)
    assert Walk.steps - before >= 100_000
