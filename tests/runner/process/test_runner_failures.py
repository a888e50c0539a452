"""Whatever user code does at import, the daemon is told what happened and where."""

from __future__ import annotations

import re
import signal

import pytest

from tests.runner.process.failure import Failure


def test_an_exception_is_told_in_one_line_and_in_full(run, code, python):
    source = "def load():\n    import nothing_here\n\nload()\n"
    problem = run(python, source).problem()
    assert problem["summary"] == ("ModuleNotFoundError: No module named 'nothing_here' (defs.py:2)")
    detail = problem["detail"]
    assert detail.startswith("Traceback (most recent call last):\n")
    assert re.findall(r'File "(.+?)", line (\d+), in (.+)', detail) == [
        (str(code / "defs.py"), "4", "<module>"),
        (str(code / "defs.py"), "2", "load"),
    ]
    assert detail.endswith("ModuleNotFoundError: No module named 'nothing_here'\n")
    assert problem["error"]["type"] == "ModuleNotFoundError"
    assert problem["error"]["message"] == "No module named 'nothing_here'"
    assert "in load" in problem["error"]["traceback"]


def test_the_frames_are_told_with_the_users_own_code(run, code, python):
    source = "import json\n\ndef load():\n    return json.loads('{')\n\nload()\n"
    frames = run(python, source).problem()["frames"]
    file = str(code / "defs.py")
    assert [(one["file"], one["line"], one["own"]) for one in frames[:2]] == [
        (file, 6, True),
        (file, 4, True),
    ]
    assert frames[1]["function"] == "load"
    lines = source.splitlines()
    assert frames[1]["code"] == [[number, lines[number - 1]] for number in range(1, 7)]
    assert not frames[-1]["own"]
    assert frames[-1]["code"] == []


def test_a_mistake_of_syntax_is_the_last_frame(run, code, python):
    frames = run(python, "a = 1\nb = = 2\n").problem()["frames"]
    last = frames[-1]
    assert (last["file"], last["line"], last["own"]) == (str(code / "defs.py"), 2, True)
    assert last["column"] == 4
    assert last["code"] == [[1, "a = 1"], [2, "b = = 2"]]


def test_the_chain_of_causes_is_kept(run, python):
    source = """
try:
    try:
        {}["deep"]
    except KeyError as error:
        raise ValueError("middle") from error
except ValueError:
    raise RuntimeError("outer")
"""
    problem = run(python, source).problem()
    error = problem["error"]
    chain = []
    while error:
        chain.append((error["type"], error["message"]))
        error = next(iter(error["causes"]), None)
    assert chain == [("RuntimeError", "outer"), ("ValueError", "middle"), ("KeyError", "'deep'")]
    assert problem["summary"] == "RuntimeError: outer (defs.py:8)"
    assert problem["detail"].count("Traceback (most recent call last):") == 3
    assert "_codeloc_runner" not in problem["detail"]


def test_an_exception_group_tells_what_it_holds(run, python):
    if "/3.8" in python or "/3.9" in python or "/3.10" in python:
        pytest.skip("ExceptionGroup is Python 3.11's")
    source = 'raise ExceptionGroup("all", [ValueError("one"), TypeError("two")])\n'
    problem = run(python, source).problem()
    assert [one["message"] for one in problem["error"]["causes"]] == ["one", "two"]
    assert "ValueError: one" in problem["detail"]


def test_a_syntax_error_shows_the_line_and_the_place_in_it(run, code, python):
    problem = run(python, "good = 1\nbad = = 2\n").problem()
    assert problem["summary"] == "SyntaxError: invalid syntax (defs.py:2)"
    assert f'File "{code / "defs.py"}", line 2\n    bad = = 2\n' in problem["detail"]
    assert "^" in problem["detail"]
    assert "frozen importlib" not in problem["detail"]


def test_a_syntax_error_in_an_imported_module_names_that_module(run, code, python):
    (code / "helper.py").write_text("\n\ndef broken(:\n")
    runner = run(python, "import helper\n")
    problem = runner.problem()
    assert problem["summary"].endswith("(helper.py:3)")
    assert f'File "{code / "defs.py"}", line 1, in <module>' in problem["detail"]
    assert set(runner.load()["sources"]) == {str(code / "defs.py"), str(code / "helper.py")}


@pytest.mark.parametrize(("call", "told"), [("7", "7"), ("", ""), ("'enough'", "enough")])
def test_sys_exit_is_told_with_its_status_and_place(run, extreme, call, told):
    problem = run(extreme, f"import sys\nsys.exit({call})\n").problem()
    assert problem["summary"] == (
        f"SystemExit: sys.exit({told}) was called while the code was imported (defs.py:2)"
    )


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "BaseException"])
def test_exceptions_that_are_no_errors_are_caught_too(run, extreme, name):
    assert run(extreme, f"raise {name}\n").problem()["summary"] == f"{name} (defs.py:1)"


def test_endless_recursion_is_told_without_its_thousand_frames(run, python):
    problem = run(python, "def turn():\n    turn()\n\nturn()\n").problem()
    assert problem["summary"].startswith("RecursionError: maximum recursion depth exceeded")
    assert len(problem["detail"]) < 5000


def test_an_exception_that_cannot_be_printed_is_told_by_its_type(run, python):
    source = (
        "class Mute(Exception):\n"
        "    def __str__(self):\n        raise SystemExit(3)\n"
        "    __repr__ = __str__\n"
        "raise Mute\n"
    )
    problem = run(python, source).problem()
    assert problem["summary"].startswith("Mute: <its message cannot be had")
    assert problem["detail"].startswith("Traceback (most recent call last):\n")


def test_an_error_deep_inside_of_a_library_points_at_the_line_of_the_location(run, extreme):
    problem = run(extreme, "import json\n\njson.loads('{')\n").problem()
    assert problem["summary"].endswith("(defs.py:3)")
    assert "json/decoder.py" in problem["detail"]


def test_an_error_of_definitions_points_at_the_line_that_made_them(run, python):
    source = "from codeloc import Definitions\n\ndefs = Definitions(assets=[1])\n"
    problem = run(python, source).problem()
    assert "Definitions" in problem["summary"]
    assert problem["summary"].endswith("(defs.py:3)")
    assert "codeloc/" not in problem["detail"]


def test_a_message_of_many_megabytes_is_cut(run, extreme):
    problem = run(extreme, "raise ValueError('x' * 50_000_000)\n").problem()
    assert len(problem["summary"]) < 600
    assert len(problem["detail"]) < 500_000


def test_os_exit_ends_the_process_with_its_status(run, python):
    assert run(python, "import os\nos._exit(7)\n").wait() == 7


def test_a_segfault_ends_the_process_and_leaves_its_stack(run, code, python):
    runner = run(python, "import ctypes\nctypes.string_at(0)\n")
    assert runner.wait() == -signal.SIGSEGV
    stderr = runner.output["stderr"].decode()
    assert "Fatal Python error: Segmentation fault" in stderr
    assert f'File "{code / "defs.py"}", line 2 in <module>' in stderr


def test_a_failed_load_answers_describe_with_its_problem(run, extreme):
    runner = run(extreme, "raise ValueError('no')\n")
    runner.load()
    with pytest.raises(Failure, match=r"ValueError: no \(defs.py:1\)") as failure:
        runner.call("describe")
    assert failure.value.kind == "down"
    assert runner.stop() == 0
