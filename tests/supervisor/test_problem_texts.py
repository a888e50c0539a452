"""What went wrong, in words."""

import pytest

from codelocd import problems
from codelocd.model import Exit


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Exit(status=7), "exited with status 7"),
        (Exit(signal=11), "was killed by SIGSEGV"),
        (Exit(signal=62), "was killed by signal 62"),
    ],
)
def test_an_end_is_told_by_status_or_signal(end: Exit, words: str) -> None:
    assert problems.how(end) == words


def test_a_crash_shows_the_last_lines_it_printed() -> None:
    problem = problems.of_exit(Exit(status=1), loading=True, last_lines=["a", "b"], at=5.0)
    assert problem.summary == "the runner exited with status 1 while it loaded the code"
    assert problem.detail == "The last lines it printed:\na\nb"
    assert (problem.kind, problem.at) == ("crash", 5.0)


def test_a_hang_shows_where_every_thread_was() -> None:
    stacks = [{"name": "MainThread", "stack": ["  File defs.py, line 3\n"]}]
    problem = problems.of_hang(180, stacks, at=1.0)
    assert "180 s" in problem.summary
    assert "defs.py, line 3" in problem.detail


def test_no_problem_is_null() -> None:
    assert problems.as_json(None) is None
