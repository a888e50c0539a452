"""What went wrong, in words."""

from pathlib import Path

import pytest

from codelocd.core import problems
from codelocd.core.restarts import RestartHistory
from codelocd.model import Exit, Policy, Problem


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
    problem = problems.of_exit(
        Exit(status=1), loading=True, last_lines=["a", "b"], at=5.0, folder=SHOP
    )
    assert problem.summary == "the runner exited with status 1 while it loaded the code"
    assert problem.detail == "The last lines it printed:\na\nb"
    assert (problem.kind, problem.at) == ("crash", 5.0)
    assert problems.of_exit(Exit(status=1), True, [], 5.0, SHOP).detail == ""


SHOP = Path("/shop")
SEGFAULT = """before
Fatal Python error: Segmentation fault

Thread 0x00007f (most recent call first):
  File "/bundle/codeloc_runner/wire/server.py", line 99 in _wait

Current thread 0x00007f (most recent call first):
  File "/usr/lib/python3.12/ctypes/__init__.py", line 519 in string_at
  File "/shop/defs.py", line 2 in <module>
  File "<frozen importlib._bootstrap_external>", line 940 in exec_module
  File "/bundle/codeloc_runner/load/location.py", line 52 in import_file
"""


def test_a_crash_tells_the_users_line_and_shows_no_frame_of_the_runner() -> None:
    problem = problems.of_exit(Exit(signal=11), True, SEGFAULT.splitlines(), 5.0, SHOP)
    assert problem.summary == (
        "the runner was killed by SIGSEGV while it loaded the code (defs.py:2)"
    )
    assert problem.detail.count("most recent call first") == 1, "of the user's thread alone"
    assert "\n\n\n" not in problem.detail
    assert "codeloc_runner" not in problem.detail
    assert "frozen" not in problem.detail
    assert 'File "/shop/defs.py", line 2 in <module>' in problem.detail


def test_a_line_outside_of_the_working_directory_is_named_in_full() -> None:
    problem = problems.of_exit(Exit(signal=11), True, SEGFAULT.splitlines(), 5.0, Path("/sho"))
    assert problem.summary.endswith("(/shop/defs.py:2)")


def test_the_line_that_called_os_exit_is_told_by_its_status_alone() -> None:
    lines = ["os._exit(3) was called:", '  File "/shop/defs.py", line 4 in leave']
    end = problems.of_exit(Exit(status=3), True, lines, 5.0, SHOP)
    assert end.summary == (
        "the runner exited with status 3 while it loaded the code: os._exit was called (defs.py:4)"
    )
    other = problems.of_exit(Exit(status=1), True, lines, 5.0, SHOP)
    assert other.summary == "the runner exited with status 1 while it loaded the code"


def test_what_is_not_tried_again_says_how_to_try_again() -> None:
    history = RestartHistory((1.0, 2.0))
    problem = problems.final(Problem("crash", "it died"), history, Policy())
    told = problems.as_json(problem, "a b.py")
    assert told is not None
    assert told["summary"] == (
        "it died; gave up after 2 failures within 300 s (restart_limit);"
        " to try again: codelocd start 'a b.py'"
    )


def test_a_hang_shows_where_every_thread_was() -> None:
    outer, inner = (
        'File "defs.py", line 3, in <module>\n  turn()',
        'File "defs.py", line 2, in turn',
    )
    main, other = {"name": "MainThread", "stack": [outer, inner]}, {"name": "b", "stack": [inner]}
    problem = problems.of_hang(180, [main, other], at=1.0, folder=Path("/shop"))
    assert "180 s" in problem.summary
    assert problem.detail == f"MainThread:\n{outer}\n{inner}\nb:\n{inner}"


def test_no_problem_is_null() -> None:
    assert problems.as_json(None) is None


def test_a_hang_tells_the_users_innermost_line() -> None:
    frames = [
        'File "/shop/defs.py", line 2, in <module>\n  work()',
        'File "/shop/lib.py", line 9, in work\n  subprocess.run(command)',
        'File "/usr/lib/python3.12/subprocess.py", line 5, in run\n  pass',
    ]
    stacks = [{"name": "MainThread", "stack": frames}, {"name": "Thread-1", "stack": []}]
    assert problems.of_hang(1.0, stacks, at=5.0, folder=Path("/shop")).summary == (
        "the code did not finish loading within 1 s (start_timeout) (lib.py:9)"
    )
    assert problems.of_hang(1.0, [], at=5.0, folder=Path("/shop")).summary.endswith(
        "(start_timeout)"
    )
