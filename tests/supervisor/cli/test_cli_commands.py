"""The commands that ask a daemon: what they ask for, what they print, how they end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from codelocd.rpc.errors import RpcError
from tests.commands import DEADLINE
from tests.supervisor.cli.fake_control import PROBLEM, FakeDaemon, Shell

DOWN = {"name": "sales", "ok": False, "state": "failed", "problem": PROBLEM}
UP = {"name": "sales", "ok": True, "state": "serving", "problem": None}
JOB = {"kind": "job", "name": "x", "repository": "a", "location": "sales", "ops": ["x"]}
LINE = {
    "seq": 7,
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
    "attempt": None,
    "by": None,
    "timing": None,
    "added": None,
    "changed": None,
    "removed": None,
}


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "reload"])
def test_an_order_waits_for_its_outcome(project: Shell, daemon: FakeDaemon, verb: str) -> None:
    daemon.answers[verb] = lambda _: {"locations": [UP]}
    done = project.run(verb, "sales", "--timeout", "7")
    assert (done.stdout, done.stderr, done.returncode) == ("sales serving\n", "", 0)
    order = {"locations": ["sales"], "wait": True, "timeout": 7.0, "by": "cli"}
    assert daemon.asked == [(verb, order)]


def test_a_daemon_of_another_version_is_not_told_who_asks(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["hello"] = lambda _: {"version": "0"}
    daemon.answers["stop"] = lambda _: {"locations": [UP]}
    project.run("stop", "--all")
    orders = [params for method, params in daemon.asked if method == "stop"]
    assert orders == [{"all": True, "wait": True, "timeout": None}]


def test_an_order_may_be_for_all_and_need_not_wait(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["reload"] = lambda _: {"locations": [UP]}
    done = project.run("reload", "--all", "--no-wait", "--json")
    assert json.loads(done.stdout) == {"locations": [UP]}
    assert daemon.asked == [("reload", {"all": True, "wait": False, "timeout": None, "by": "cli"})]


def test_what_another_version_does_not_say_is_shown_as_not_known(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["hello"] = lambda _: {"version": "0"}
    daemon.answers["show"] = lambda _: {"name": "sales", "state": "failed", "problem": PROBLEM}
    done = project.run("show", "sales")
    assert (done.stderr, done.returncode) == ("", 0)
    assert "sales: failed" in done.stdout
    assert PROBLEM["summary"] in done.stdout


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


def logs(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"lines": list(lines), "last": {"sales": lines[-1]["seq"]} if lines else {}}


def numbered(*numbers: int) -> list[dict[str, Any]]:
    """Lines that are equal in everything but their numbers."""
    return [{**LINE, "seq": number} for number in numbers]


def test_logs_are_one_document_per_line(project: Shell, daemon: FakeDaemon) -> None:
    lines = numbered(6, 7)
    daemon.answers["logs"] = lambda _: logs(*lines)
    done = project.run("logs", "sales", "-n", "2", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == lines
    assert daemon.asked == [("logs", {"locations": ["sales"], "lines": 2})]
    assert project.run("logs").stdout.splitlines()[0].endswith("sales | hello")


def test_a_part_of_the_logs_is_read_page_by_page(project: Shell, daemon: FakeDaemon) -> None:
    pages = {None: numbered(5, 6), 6: numbered(7), 7: []}
    daemon.answers["logs"] = lambda asked: {
        **logs(*pages[asked["after"].get("sales")]),
        "last": {"sales": 7},
    }
    done = project.run("logs", "--stream", "stderr", "--grep", "hell", "--json")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [5, 6, 7]
    narrowed = {"stream": "stderr", "contains": "hell"}
    assert all(asked.items() >= narrowed.items() for _, asked in daemon.asked)


def test_lines_that_a_pattern_fits_are_looked_for_until_there_are_enough(
    project: Shell, daemon: FakeDaemon
) -> None:
    lines = [{**line, "text": f"line {line['seq']}"} for line in numbered(*range(1, 25_001))]

    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        before = asked.get("before", {}).get("sales", 25_001)
        return logs(*[line for line in lines if line["seq"] < before][-asked["lines"] :])

    daemon.answers["logs"] = answer
    done = project.run("logs", "--grep", r"^line \d{2}$", "-n", "3", "--json")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [97, 98, 99]


@pytest.mark.parametrize(
    "wrong", [["--since", "soon"], ["--until", "25:00"], ["--grep", "("], ["--stream", "both"]]
)
def test_a_part_that_nobody_can_mean_is_refused_in_one_line(
    project: Shell, wrong: list[str]
) -> None:
    done = project.run("logs", *wrong)
    assert done.returncode == 2
    assert wrong[1] in done.stderr
    assert "Traceback" not in done.stderr


def test_events_are_one_document_per_line(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["events"] = lambda _: {"events": [EVENT], "last": 1}
    done = project.run("events", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [EVENT]
    text = project.run("events").stdout
    assert "sales  inspected  starting → serving  (generation 3)" in text


class Kept:
    """Answers `logs` with what a daemon has of one location, all of it printed by equal lines."""

    def __init__(self, *numbers: int) -> None:
        self.lines = numbered(*numbers)
        self.last = numbers[-1]

    def __call__(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if "after" in asked:
            after = asked["after"].get("sales", 0)
            found = [line for line in self.lines if line["seq"] > after][: asked["lines"]]
        else:
            found = self.lines[-asked["lines"] :]
        return {"lines": found, "last": {"sales": self.last}}


def test_following_prints_equal_lines_each_once_and_says_what_is_lost(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["logs"] = kept = Kept(*range(1, 4))
    process = project.start("logs", "-f", "--json", "--wait", "0")
    assert daemon.subscribed.wait(DEADLINE)
    daemon.tell("logs", {"full": True, "missed": False})
    shared = {name: LINE[name] for name in ("at", "location", "stream", "generation")}
    daemon.tell("logs", {"seq": 3, **shared, "texts": ["hello", "hello"]})
    kept.lines += numbered(4, 5, 6, 9)
    kept.last = 10
    daemon.tell("logs", {"seq": 9, **shared, "texts": ["hello", "hello"]})
    assert process.stdout is not None
    got = [json.loads(process.stdout.readline()) for _ in range(9)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    lost = {**dict.fromkeys(LINE), "location": "sales", "seq": 7, "gap": 2}
    assert got[:6] == numbered(*range(1, 7))
    assert got[6] == lost
    assert [line["seq"] for line in got[7:]] == [9, 10]
    assert (out, err, process.returncode) == ("", "", 130)


def test_following_goes_on_under_the_next_daemon(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["logs"] = kept = Kept(1, 2)
    process = project.start("logs", "-f")
    assert daemon.subscribed.wait(DEADLINE)
    kept.lines += numbered(3)
    kept.last = 3
    daemon.subscribed.clear()
    daemon.hang_up()
    assert daemon.subscribed.wait(DEADLINE)
    assert process.stdout is not None
    got = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert all(line.endswith("sales | hello\n") for line in got)
    assert (out, err) == ("", "")


def test_following_ends_with_exit_3_when_the_daemon_goes_and_no_other_comes(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["events"] = lambda asked: {"events": [EVENT][asked.get("after", 0) :], "last": 1}
    process = project.start("events", "-f", "--json", "--wait", "0")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == EVENT
    assert daemon.subscribed.wait(DEADLINE)
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
        "shared": 0,
        "why": ["the project /shop"],
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
