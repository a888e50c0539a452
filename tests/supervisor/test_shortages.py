"""What the machine lacks for a while is no failure of a location."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codeloc_envs import Store, choose
from codeloc_envs.files import seen_text
from codeloc_envs.problem import shortage, shortage_in
from codelocd.core import restarts
from codelocd.core.events import Exited, Kill, MachineLacks, PolicyChanged, ReloadAsked, Started
from codelocd.core.state import State
from codelocd.model import Phase, Policy, RunnerId
from codelocd.watch.files import Contents
from codelocd.watch.polling import _listed
from tests.supervisor.stories import Story

LACKING = restarts.shortage_problem(errno.EMFILE, "pipe", 1.0, files=1024, processes=-1)
CRASHED = restarts.shortage_problem(errno.ENOMEM, "a crash", 1.0, files=1024, processes=-1)


@pytest.mark.parametrize(
    ("number", "lacks"),
    [
        (errno.EMFILE, "too many open files (RLIMIT_NOFILE 1024)"),
        (errno.ENFILE, "too many open files on the whole machine"),
        (errno.EAGAIN, "no process or thread can be started (RLIMIT_NPROC unlimited)"),
        (errno.ENOMEM, "out of memory"),
        (errno.ENOBUFS, "out of memory"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
    ],
)
def test_what_the_machine_lacks_is_named_for_each_error(number: int, lacks: str) -> None:
    problem = restarts.shortage_problem(number, "fork", 1.0, files=1024, processes=-1)
    assert problem.summary.startswith(f"waiting for the machine: {lacks}; ")


@contextmanager
def no_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def lacking(story: Story) -> Story:
    """The attempt under way has not what it takes."""
    number = story.state.build or story.state.candidate
    assert number is not None
    return story.tell(MachineLacks(number, LACKING))


def starting() -> Story:
    return Story().tell(Started()).environment_ready()


def test_promise_9_what_the_machine_lacks_is_waited_for_without_a_limit() -> None:
    story = starting()
    pauses = []
    for _ in range(100):
        lacking(story)
        assert story.state.phase is Phase.BACKOFF
        assert story.state.problem == LACKING
        assert story.state.deadline is not None
        pauses.append(story.state.deadline - story.now)
        story.until_deadline()
    assert pauses[:3] == pytest.approx([0.2, 0.4, 0.8])
    assert max(pauses) <= 10.0
    assert story.loaded().state.serving is not None
    assert (story.state.restarts, story.state.history.failures) == (0, ())
    assert story.state.problem is None


def test_promise_9_a_build_that_the_machine_has_no_means_for_is_tried_again() -> None:
    story = lacking(Story().tell(Started()))
    assert story.state.phase is Phase.BACKOFF
    assert story.until_deadline().state.phase is Phase.BUILDING


def test_promise_9_beside_a_runner_that_serves_it_is_tried_again_too() -> None:
    story = Story().serving().saved()
    lacking(story)
    assert (story.state.shown, story.state.stale) == ("serving", True)
    assert story.until_deadline().state.reloading == "starting"
    assert story.loaded().state.stale is False


def test_promise_9_a_start_or_a_save_ends_the_wait_at_once() -> None:
    assert lacking(starting()).tell(Started()).state.phase is Phase.STARTING
    assert lacking(Story().serving().tell(ReloadAsked())).saved().state.reloading is not None


def test_promise_9_a_policy_that_restarts_never_does_not_end_the_wait() -> None:
    story = lacking(starting())
    story.policy = Policy(restart="never")
    story.tell(PolicyChanged(Policy()))
    assert story.state.phase is Phase.BACKOFF
    assert story.until_deadline().state.phase is Phase.STARTING


def test_promise_9_the_runner_that_serves_may_die_meanwhile() -> None:
    story = lacking(Story().serving().saved())
    serving = story.state.serving
    assert serving is not None
    story.tell(Exited(RunnerId(serving), CRASHED))
    assert story.state.phase is Phase.BACKOFF
    assert story.until_deadline().loaded().state.shown == "serving"


def test_a_runner_whose_attempt_lacks_something_is_ended_if_it_lives() -> None:
    for lives in (True, False):
        story = starting()
        runner = story.state.candidate
        assert runner is not None
        story.tell(MachineLacks(runner, LACKING, lives=lives))
        assert (Kill(runner) in story.effects) == lives
        assert story.state.leaving == ({runner} if lives else frozenset())
        assert story.state.candidate is None


def test_an_attempt_that_lacks_something_is_over() -> None:
    building = lacking(Story().tell(Started()))
    assert building.state.build is None
    held = Story().serving().saved(2).loaded()
    assert held.state.loaded
    lacking(held)
    assert (held.state.candidate, held.state.loaded) == (None, False)


def test_the_pauses_begin_anew_with_every_other_outcome() -> None:
    served = lacking(Story().serving().saved())
    assert served.state.stale
    served.until_deadline()
    assert served.loaded().state.shortages == 0
    failed = lacking(starting()).until_deadline().load_failed()
    assert failed.state.shortages == 0
    crashed = lacking(starting()).until_deadline()
    assert crashed.exited(crashed.state.candidate).state.shortages == 0
    assert lacking(starting()).tell(ReloadAsked()).state.shortages == 0


def test_what_is_no_longer_asked_for_lacks_nothing() -> None:
    state = starting().state
    assert Story().tell(MachineLacks(99, LACKING)).state == State()
    assert state.phase is Phase.STARTING


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.EMFILE, "x"), errno.EMFILE),
        (BlockingIOError(errno.EAGAIN, "fork"), errno.EAGAIN),
        (RuntimeError("can't start new thread"), errno.EAGAIN),
        (MemoryError(), errno.ENOMEM),
        (FileNotFoundError(errno.ENOENT, "x"), None),
        (RuntimeError("else"), None),
    ],
)
def test_what_is_lacking_is_told_from_what_is_wrong(
    error: BaseException, number: int | None
) -> None:
    assert shortage(error) == number


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("error: failed to create file: Too many open files (os error 24)", errno.EMFILE),
        ("OSError: [Errno 28] No space left on device: '/x'", errno.ENOSPC),
        ("cp: No space left on device", errno.ENOSPC),
        ("error: No such file (os error 2)", None),
    ],
)
def test_an_installer_says_what_it_lacked(said: str, number: int | None) -> None:
    assert shortage_in(said) == number


def test_promise_9_a_file_that_cannot_be_looked_at_for_now_is_not_taken_to_be_gone(
    tmp_path: Path,
) -> None:
    file, contents = tmp_path / "defs.py", Contents()
    file.write_text("defs")
    contents.refresh([str(file)])
    seen = contents.digest(str(file))
    file.write_text("other")
    with no_descriptors():
        contents.refresh([str(file)])
        assert contents.learn([str(tmp_path / "new.py")]) == [str(tmp_path / "new.py")]
        assert contents.learn([str(file)]) == []
    assert contents.digest(str(file)) == seen
    contents.refresh([str(file)])
    assert contents.digest(str(file)) not in (None, seen)


def test_promise_9_a_folder_that_cannot_be_listed_for_now_is_not_taken_to_be_empty(
    tmp_path: Path,
) -> None:
    (tmp_path / "defs.py").write_text("defs")
    before = _listed(str(tmp_path), {})
    with no_descriptors():
        assert _listed(str(tmp_path), before) is before


def test_promise_9_no_other_environment_is_chosen_for_want_of_descriptors(tmp_path: Path) -> None:
    code = tmp_path / "defs.py"
    code.write_text("")
    (tmp_path / "requirements.txt").write_text("six\n")
    with no_descriptors():
        with pytest.raises(OSError, match="Too many open files"):
            choose(None, code=code, activated=None)
        with pytest.raises(OSError, match="Too many open files"):
            seen_text(code)
    chosen = choose(None, code=code, activated=None)
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        Store(tmp_path / "store").find(chosen.specification)
