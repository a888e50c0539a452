"""Random walks over the state machine: whatever happens, what must hold holds."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from codelocd import lifecycle as lc
from codelocd.model import BuildId, Phase, Policy, Problem, RunnerId

PROBLEM = Problem("crash", "it ended", at=1.0)


class Walk(RuleBasedStateMachine):
    """Plays the world: runners that exist, builds under way, and everything that may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.state = lc.State()
        self.now = 0.0
        self.runners: set[RunnerId] = set()
        self.builds: set[BuildId] = set()
        self.published: RunnerId | None = None
        self.ever: set[RunnerId] = set()

    def tell(self, event: lc.Event) -> None:
        self.state, effects = lc.step(self.state, event, self.now, Policy())
        for effect in effects:
            self.carry_out(effect)

    def carry_out(self, effect: lc.Effect) -> None:
        match effect:
            case lc.Prepare(build):
                assert not self.builds, "two builds at a time"
                self.builds.add(build)
            case lc.CancelBuild(build):
                self.builds.remove(build)
            case lc.Launch(runner):
                assert runner not in self.ever, "a number was used twice"
                self.ever.add(runner)
                self.runners.add(runner)
            case lc.Publish(runner):
                assert runner in self.runners, "published a runner that is gone"
                self.published = runner
            case lc.Withdraw():
                self.published = None
            case lc.Inspect(runner) | lc.Explain(runner) | lc.Retire(runner) | lc.Kill(runner):
                assert runner in self.runners, "ordered about a runner that is gone"

    @rule(
        event=st.sampled_from(
            [lc.Started(), lc.Stopped(), lc.RestartAsked(), lc.ReloadAsked(), lc.DeadlinePassed()]
        )
    )
    def wish(self, event: lc.Event) -> None:
        self.tell(event)

    @rule(differing=st.integers(0, 3), inputs=st.booleans(), locked=st.booleans())
    def save(self, differing: int, inputs: bool, locked: bool) -> None:
        self.tell(lc.SourcesChanged(differing, inputs, locked))

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.2, 3.0, 70.0, 2000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.state.deadline is not None and self.now >= self.state.deadline:
            self.tell(lc.DeadlinePassed())

    @precondition(lambda self: self.builds)
    @rule(good=st.booleans())
    def build_ends(self, good: bool) -> None:
        build = self.builds.pop()
        self.tell(lc.EnvironmentReady(build) if good else lc.EnvironmentFailed(build, PROBLEM))

    @precondition(lambda self: self.runners)
    @rule(data=st.data(), what=st.sampled_from(["launched", "good", "old", "bad", "sick", "exit"]))
    def runner_reports(self, data: st.DataObject, what: str) -> None:
        runner = data.draw(st.sampled_from(sorted(self.runners)))
        if what == "exit":
            self.runners.remove(runner)
        self.tell(
            {
                "launched": lc.Launched(runner),
                "good": lc.Loaded(runner, current=True),
                "old": lc.Loaded(runner, current=False),
                "bad": lc.LoadFailed(runner, PROBLEM),
                "sick": lc.Condemned(runner, PROBLEM),
                "exit": lc.Exited(runner, PROBLEM),
            }[what]
        )

    @invariant()
    def every_runner_is_accounted_for(self) -> None:
        known = set(self.state.leaving)
        known |= {r for r in (self.state.serving, self.state.candidate) if r is not None}
        assert known == self.runners

    @invariant()
    def the_build_under_way_is_the_one_it_knows(self) -> None:
        assert self.builds == ({self.state.build} if self.state.build is not None else set())

    @invariant()
    def a_wanted_location_that_waits_knows_for_what(self) -> None:
        if self.state.phase is Phase.BUILDING:
            assert self.state.build is not None
        if self.state.phase is Phase.BACKOFF:
            assert self.state.deadline is not None
        if self.state.phase is Phase.STARTING and self.state.candidate is None:
            assert self.state.deadline is not None
        if self.state.phase is Phase.STOPPING:
            assert self.state.leaving

    @invariant()
    def what_serves_is_what_was_published(self) -> None:
        if self.state.serving is not None:
            assert self.state.serving == self.published
        assert self.state.listed == (self.published is not None)

    @invariant()
    def nobody_serves_a_location_that_nobody_wants(self) -> None:
        if not self.state.wanted:
            assert self.state.serving is None
            assert self.state.phase in (Phase.STOPPED, Phase.STOPPING)


TestWalks = Walk.TestCase
TestWalks.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
