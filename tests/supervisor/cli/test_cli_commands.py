"""The commands that ask a daemon: what they ask for, what they print, how they end."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import pytest
from fake_control import DEADLINE, PROBLEM, FakeDaemon, Shell

from codelocd.rpc.errors import RpcError

DOWN = {"name": "sales", "ok": False, "state": "failed", "problem": PROBLEM}
UP = {"name": "sales", "ok": True, "state": "serving", "problem": None}
JOB = {"kind": "job", "name": "x", "repository": "a", "location": "sales", "ops": ["x"]}
LINE = {
    "at": 1700000000.25,
    "location": "sales",
    "stream": "stdout",
    "text": "hello",
    "generation": 3,
}
EVENT = {
    "seq": 1,
    "at": 1700000000.25,
    "location": "sales",
    "event": "inspected",
    "before": "starting",
    "after": "serving",
    "generation": 3,
    "detail": None,
}


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload"])
def test_an_order_waits_for_its_outcome(project: Shell, daemon: FakeDaemon, verb: str) -> None:
    daemon.answers[verb] = lambda _: {"locations": [UP]}
    done = project.run(verb, "sales", "--timeout", "7")
    assert (done.stdout, done.stderr, done.returncode) == ("sales serving\n", "", 0)
    assert daemon.asked == [(verb, {"locations": ["sales"], "wait": True, "timeout": 7.0})]


def test_an_order_may_be_for_all_and_need_not_wait(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["reload"] = lambda _: {"locations": [UP]}
    done = project.run("reload", "--all", "--no-wait", "--json")
    assert json.loads(done.stdout) == {"locations": [UP]}
    assert daemon.asked == [("reload", {"all": True, "wait": False, "timeout": None})]


def test_an_order_that_failed_is_exit_1(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["start"] = lambda _: {"locations": [DOWN]}
    done = project.run("start", "sales")
    assert done.returncode == 1
    assert done.stdout == f"sales failed: load: {PROBLEM['summary']}\n"
    whole = "`codelocd show sales` has the whole story"
    assert done.stderr == f"codelocd: start failed for sales; {whole}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["start"], "name the locations, or give --all"),
        (["start", "sales", "--all"], "name the locations, or give --all"),
        (["start", "sales", "--timeout", "x"], "'x' is not a valid float"),
        (["status", "--user", "--system"], "--socket, --user and --system"),
        (["--user", "status", "--system"], "--socket, --user and --system"),
        (["status", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["show"], "LOCATION"),
        (["show", "sales", "--kind", "job"], "need LOCATION/NAME"),
        (["show", "sales/x", "--kind", "nonsense"], "nonsense"),
        (["call", "sales", "describe", "["], "not JSON"),
        (["call", "sales", "describe", "[]"], "must be a JSON object"),
        (["exec", "sales"], "CMD"),
        (["env", "nonsense"], "nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_one_line(project: Shell, words: list[str], says: str) -> None:
    done = project.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("codelocd: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "code"), [("usage", 2), ("unknown", 4), ("down", 1), ("busy", 1), ("timeout", 1)]
)
def test_an_error_of_the_daemon_has_an_exit_code(
    project: Shell, daemon: FakeDaemon, kind: Any, code: int
) -> None:
    daemon.answers["call"] = lambda _: RpcError(kind, "no runner\nserves it")
    done = project.run("call", "sales", "describe")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "codelocd: no runner serves it\n"


def test_a_call_prints_the_answer_with_its_generation(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["call"] = lambda _: {"result": {"body": b'{"a": 1}'}, "generation": 3}
    done = project.run("call", "sales", "snapshot", '{"n": 1}', "--timeout", "2")
    assert json.loads(done.stdout) == {"result": {"body": '{"a": 1}'}, "generation": 3}
    request = {"location": "sales", "method": "snapshot", "params": {"n": 1}, "timeout": 2.0}
    assert daemon.asked == [("call", request)]


def test_a_name_of_several_definitions_is_an_error_that_lists_them(
    project: Shell, daemon: FakeDaemon
) -> None:
    matches = {"matches": [JOB, {**JOB, "repository": "b"}]}
    daemon.answers["show"] = lambda _: RpcError("usage", "'x' is ambiguous", matches)
    done = project.run("show", "sales/x")
    choices = "--kind job --repository a or --kind job --repository b"
    assert done.stderr == f"codelocd: 'x' is ambiguous: {choices}\n"
    assert done.returncode == 2


def test_a_definition_is_asked_for_by_its_whole_name(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["show"] = lambda _: JOB
    done = project.run("show", "sales/mart/x", "--kind", "job", "--repository", "a")
    chosen = {"location": "sales", "name": "mart/x", "kind": "job", "repository": "a"}
    assert daemon.asked == [("show", chosen)]
    assert done.stdout.splitlines()[0] == "job x"


def test_definitions_may_be_limited_to_a_kind(project: Shell, daemon: FakeDaemon) -> None:
    empty = {"revision": 7, "definitions": [], "edges": [], "conflicts": []}
    daemon.answers["definitions"] = lambda _: empty
    done = project.run("definitions", "sales", "--kind", "job", "--json")
    assert json.loads(done.stdout) == empty
    assert daemon.asked == [("definitions", {"locations": ["sales"], "kind": "job"})]
    assert project.run("definitions").stdout == "no definitions\n"


def test_exec_becomes_the_command_in_the_locations_place(
    project: Shell, daemon: FakeDaemon
) -> None:
    place = project.folder / "elsewhere"
    place.mkdir()
    variables = {"PATH": "/usr/bin:/bin", "REGION": "eu"}
    daemon.answers["command"] = lambda _: {
        "executable": sys.executable,
        "environment": variables,
        "working_directory": str(place),
    }
    words = ["sales", "--", "sh", "-c", "echo $REGION; pwd; exit 7"]
    done = project.run("exec", "--outside", *words)
    assert (done.stdout, done.returncode) == (f"eu\n{place}\n", 7)
    refused = project.run("exec", *words)
    assert (refused.stdout, refused.returncode) == ("", 127)
    found = (
        f"codelocd: sh, found as /usr/bin/sh, is not in the environment of sales ({sys.executable})"
    )
    again = "codelocd exec --outside sales -- sh -c 'echo $REGION; pwd; exit 7'"
    assert refused.stderr == f"{found}; to run it all the same: {again}\n"
    missing = project.run("exec", "sales", "--", "no-such-command")
    assert missing.returncode == 127
    assert missing.stderr.startswith("codelocd: there is no command 'no-such-command' in the")
    place.rmdir()
    lost = project.run("exec", "--outside", *words)
    assert lost.returncode == 1
    assert f"the working directory of sales, {place}: No such file or directory" in lost.stderr


def test_a_change_names_a_daemon_that_is_not_the_projects(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["stop"] = lambda _: {"locations": []}
    assert project.run("stop", "--all").stderr == ""
    done = project.run("--socket", str(daemon.socket), "stop", "--all")
    assert done.stderr == f"asking the daemon at {daemon.socket}\n"


def test_shutdown_returns_when_the_daemon_is_gone(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["hello"] = lambda _: {"pid": 42}
    daemon.answers["shutdown"] = lambda _: daemon.hang_up()
    done = project.run("shutdown")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"stopped the dev daemon of {project.folder} (pid 42)\n"


def test_logs_are_one_document_per_line(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["logs"] = lambda _: {"lines": [LINE, LINE]}
    done = project.run("logs", "sales", "-n", "2", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [LINE, LINE]
    assert daemon.asked == [("logs", {"locations": ["sales"], "lines": 2})]
    assert project.run("logs").stdout.splitlines()[0].endswith("sales | hello")


def test_events_are_one_document_per_line(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["events"] = lambda _: {"events": [EVENT]}
    done = project.run("events", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [EVENT]
    text = project.run("events").stdout
    assert "sales  inspected  starting → serving  (generation 3)" in text


def test_following_prints_every_line_once(project: Shell, daemon: FakeDaemon) -> None:
    second, third, fourth = ({**LINE, "at": LINE["at"] + n, "text": f"{n}"} for n in (1, 2, 3))
    answers = iter([[LINE, second], [LINE, second, third, fourth]])
    daemon.answers["logs"] = lambda _: {"lines": next(answers)}
    process = project.start("logs", "-f", "--json")
    assert daemon.subscribed.wait(DEADLINE)
    daemon.tell("logs", {"full": True, "missed": False})
    daemon.tell("logs", second)
    daemon.tell("logs", third)
    daemon.tell("logs", {"full": True, "missed": True})
    assert process.stdout is not None
    got = [json.loads(process.stdout.readline()) for _ in range(4)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert got == [LINE, second, third, fourth]
    assert (out, err, process.returncode) == ("", "", 130)


def test_following_ends_with_exit_3_when_the_daemon_goes(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["events"] = lambda _: {"events": [EVENT]}
    process = project.start("events", "-f", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == EVENT
    daemon.hang_up()
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 3
    assert err.startswith("codelocd: ")
    assert err.count("\n") == 1


def test_environments_are_listed_with_those_that_use_them(
    project: Shell, daemon: FakeDaemon
) -> None:
    found = {
        "key": "0123456789abcdef",
        "path": "/store/e",
        "python": "3.12.1",
        "packages": ["pandas==2.2.0"],
        "size": 2048,
        "used_by": ["sales"],
        "last_used": 1700000000.0,
        "created": 1700000000.0,
    }
    daemon.answers["environments"] = lambda _: [found]
    assert json.loads(project.run("env", "list", "--json").stdout) == [found]
    assert "0123456789ab" in project.run("env", "list").stdout
    assert "pandas==2.2.0" in project.run("env", "show", "sales").stdout
    assert project.run("env", "show", "0123", "--json").returncode == 0
    assert project.run("env", "show", "nothing").returncode == 4


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["statu"], "status"),
        (["STATUS"], "status"),
        (["config", "valdate"], "validate"),
        (["env", "lst"], "list"),
        (["definitions", "--kind", "assets"], "asset"),
        (["definitions", "--kind", "schedul"], "schedule"),
    ],
)
def test_a_mistyped_command_or_value_is_told_the_nearest(
    shell: Shell, words: list[str], meant: str
) -> None:
    done = shell.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("codelocd: ")
    assert done.stderr.endswith(f'; did you mean "{meant}"?\n')


def test_a_command_that_is_like_no_other_points_at_the_help(shell: Shell) -> None:
    done = shell.run("qqq")
    assert done.stderr == "codelocd: No such command 'qqq'; see `codelocd --help`\n"
    assert done.returncode == 2
