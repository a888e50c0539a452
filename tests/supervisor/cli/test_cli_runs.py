"""`codelocd run` and `codelocd runs`, by what a daemon tells."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.rpc.errors import RpcError
from tests.commands import DEADLINE
from tests.supervisor.cli.fake_control import LOCATION, FakeDaemon, Shell, status_document
from tests.supervisor.runs.run_documents import AT, going_on, run, summary

QUEUED = going_on(state="queued", started=None, attempts=[], code={"generation": None, "late": []})
TOLD: list[dict[str, Any]] = [
    {"event": "begun", "at": AT, "pid": 4711},
    {"event": "plan", "at": AT, "steps": [{"name": step["name"]} for step in run()["steps"]]},
    {"event": "step", "at": AT, "kind": "asset", "name": "raw_orders", "state": "started"},
    {"event": "step", "at": AT, **{k: v for k, v in run()["steps"][0].items() if k != "checks"}},
]


class Runs:
    """The runs of a fake daemon: `runs` by number, `lines` of output, and what it tells of one."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self.daemon = daemon
        self.runs: dict[int, dict[str, Any]] = {}
        self.lines: list[str] = []
        daemon.answers |= {
            "run": lambda _: self.answer(),
            "run_retry": lambda _: self.answer(),
            "runs": lambda _: {"runs": list(self.runs.values()), "more": False},
            "run_show": self.show,
            "run_cancel": self.cancel,
            "run_logs": self.logs,
        }

    def answer(self) -> dict[str, Any]:
        """Of a new run."""
        return {"id": 17, "uuid": QUEUED["uuid"], "new": True, "run": QUEUED}

    def show(self, params: Mapping[str, Any]) -> Any:
        found = self.runs.get(params["id"])
        if found is None:
            return RpcError("unknown", f"there is no run {params['id']}; `codelocd runs` lists …")
        return {"run": found, "code": {"/shop/defs.py": "x = 1\n", "/shop/more/y.py": "y = 2\n"}}

    def cancel(self, params: Mapping[str, Any]) -> Any:
        self.ends(run(state="cancelled", why=None))
        return {"run": self.runs[params["id"]]}

    def logs(self, params: Mapping[str, Any]) -> dict[str, Any]:
        numbered = [
            {"seq": n, "at": AT, "location": "sales", "stream": "stdout", "text": text}
            for n, text in enumerate(self.lines, 1)
        ]
        found = [{**line, "generation": 1} for line in numbered]
        found = [line for line in found if line["seq"] > params.get("after", 0)]
        return {"lines": found[-params["lines"] :], "last": len(self.lines), "more": False}

    def is_now(self, document: dict[str, Any]) -> None:
        self.runs[document["id"]] = document
        self.daemon.tell("runs", {"event": "run", "run": summary(document)})

    def told(self, told: Mapping[str, Any]) -> None:
        self.daemon.tell("runs", {"event": "told", "id": 17, "attempt": 1, "told": told})

    def prints(self, text: str) -> None:
        self.lines.append(text)
        block = {"run": 17, "attempt": 1, "generation": 1, "location": "sales", "at": AT}
        seq = len(self.lines)
        self.daemon.tell("run_logs", {**block, "stream": "stdout", "seq": seq, "texts": [text]})

    def ends(self, document: dict[str, Any]) -> None:
        self.is_now(document)


@pytest.fixture
def runs(daemon: FakeDaemon) -> Runs:
    return Runs(daemon)


def carried_out(runs: Runs, end: dict[str, Any]) -> None:
    """A run begins as soon as it is asked for, tells, prints, and ends."""

    def answer() -> dict[str, Any]:
        runs.is_now(going_on())
        for told in TOLD:
            runs.told(told)
        runs.prints("to stdout")
        runs.ends(end)
        return {"id": 17, "uuid": QUEUED["uuid"], "new": True, "run": QUEUED}

    runs.answer = answer  # type: ignore[method-assign]


def test_a_run_that_stays_in_the_queue_says_why(project: Shell, runs: Runs) -> None:
    runs.runs[17] = {**QUEUED, "waits_for": ["tag db, 1 at a time"]}
    done = project.start("run", "sales/nightly")
    assert done.stderr is not None
    told = "run 17 waits in the queue for tag db, 1 at a time; `codelocd runs` lists what goes on"
    assert done.stderr.readline().startswith(told)
    runs.ends(run())
    done.communicate(timeout=DEADLINE)
    assert done.returncode == 1


def test_a_run_is_shown_to_its_end(project: Shell, runs: Runs) -> None:
    carried_out(runs, run())
    done = project.run("run", "sales/nightly", "--param", "day=x", "--tag", "a=b", "--key", "k")
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["run", "17", "sales/nightly", "generation", "9"]
    assert [line[:2] for line in lines[1:-1]] == [
        ["raw_orders", "ok"],
        ["to", "stdout"],
        ["orders", "ok"],
        ["not_empty", "passed"],
        ["fresh", "FAILED"],
        ["report", "skipped"],
    ]
    assert lines[-1] == [
        "run",
        "17",
        "failed",
        "after",
        "1.0s:",
        "1",
        "check;",
        "codelocd",
        "runs",
        "show",
        "17",
    ]
    asked = dict(dict(runs.daemon.asked)["run"])
    assert asked.pop("by")["kind"] == "cli"
    assert asked == {
        "location": "sales",
        "names": ["sales/nightly"],
        "checks": "with",
        "params": {"day": "x"},
        "tags": {"a": "b"},
        "key": "k",
    }


@pytest.mark.parametrize("given", ['{"ops": {"day": "2026-11-27"}}', "ops.yaml"])
def test_a_run_config_is_a_file_or_json(project: Shell, runs: Runs, given: str) -> None:
    (project.folder / "ops.yaml").write_text("ops:\n  day: 2026-11-27\n")
    assert project.run("run", "nightly", "--detach", "--run-config", given).returncode == 0
    assert dict(runs.daemon.asked)["run"]["config"] == {"ops": {"day": "2026-11-27"}}


def test_json_is_one_document_and_the_output_goes_to_stderr(project: Shell, runs: Runs) -> None:
    carried_out(runs, run(state="succeeded", why=None))
    done = project.run("run", "nightly", "--json")
    assert (done.returncode, json.loads(done.stdout)["id"], done.stderr) == (0, 17, "to stdout\n")


def test_events_are_one_document_a_line(project: Shell, runs: Runs) -> None:
    carried_out(runs, run(state="succeeded", why=None))
    done = project.run("run", "nightly", "--events")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event"] for each in events] == [
        *["run", "begun", "plan", "step", "step", "ended"]
    ]
    assert [each["attempt"] for each in events[1:-1]] == [1] * 4


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (run(state="succeeded", why=None), 0),
        (run(state="lost", why=None), 1),
        (run(state="cancelled", why=None), 1),
        (run(state="failed", why="usage", summary="no"), 2),
    ],
)
def test_the_exit_code_says_how_it_ended(
    project: Shell, runs: Runs, end: dict[str, Any], code: int
) -> None:
    carried_out(runs, end)
    assert project.run("run", "nightly").returncode == code


def test_detached_it_prints_the_number_alone(project: Shell, runs: Runs) -> None:
    done = project.run("run", "sales/nightly", "--detach")
    assert (done.returncode, done.stdout, done.stderr) == (0, "17\n", "")


def test_an_interrupt_cancels_and_is_130(project: Shell, runs: Runs) -> None:
    runs.is_now(going_on())
    process = project.start("run", "nightly")
    runs.daemon.subscribed.wait(DEADLINE)

    def answer() -> dict[str, Any]:
        runs.is_now(going_on())
        return {"id": 17, "new": True, "run": QUEUED}

    runs.answer = answer  # type: ignore[method-assign]
    runs.is_now(going_on())
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, err
    assert "run 17 cancelled after 1.0s" in out
    assert "cancelling run 17" in err
    assert [params for method, params in runs.daemon.asked if method == "run_cancel"] == [
        {"id": 17, "kill": False}
    ]


@pytest.mark.parametrize(
    ("words", "then", "printed"),
    [
        (["run", "sales/nightly"], "serving", "run 17 succeeded after 1.0s"),
        (["run", "sales/nightly", "--detach"], "serving", "17"),
        (["runs", "retry", "16"], "serving", "run 17 succeeded after 1.0s"),
        (["run", "sales/nightly"], "failed", "codelocd: sales has not loaded: no"),
    ],
)
def test_a_location_that_loads_is_waited_for(
    project: Shell, runs: Runs, words: list[str], then: str, printed: str
) -> None:
    carried_out(runs, run(state="succeeded", why=None))
    runs.runs[16] = run(id=16)
    now: Any = {**LOCATION, "state": "starting"}
    answer, looks = runs.answer, list[Any]()

    def ordered() -> Any:
        return (
            answer() if now["state"] == "serving" else RpcError("down", "sales has not loaded: no")
        )

    def status(params: Mapping[str, Any]) -> Any:
        told = status_document(now)
        if params.get("locations") and now["state"] == "starting":  # the command looks at it
            looks.append(params)
            now["state"] = then
            runs.daemon.tell("status", {"event": {}, "location": now})
        return told

    runs.answer, runs.daemon.answers["status"] = ordered, status  # type: ignore[method-assign]
    done = project.run(*words)
    assert done.returncode == (0 if then == "serving" else 1), done.stderr
    assert (done.stdout or done.stderr).splitlines()[-1] == printed
    assert len(looks) == 1


def test_a_run_that_the_key_has_is_shown_as_it_is(project: Shell, runs: Runs) -> None:
    runs.runs[17] = run(state="succeeded", why=None)
    runs.lines = ["before"]
    runs.answer = lambda: {"id": 17, "new": False, "run": runs.runs[17]}  # type: ignore[method-assign]
    done = project.run("run", "nightly", "--key", "k")
    assert (done.returncode, done.stderr) == (0, "run 17 has this key already\n")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *["run", "before", "raw_orders", "orders", "not_empty", "fresh", "report", "run"]
    ]


def test_a_connection_that_ends_says_where_the_run_is_found(project: Shell, runs: Runs) -> None:
    process = project.start("run", "nightly")
    runs.daemon.subscribed.wait(DEADLINE)
    runs.is_now(going_on())
    assert process.stdout is not None
    process.stdout.readline()
    runs.daemon.close()
    runs.daemon.close = lambda: None  # type: ignore[method-assign]
    _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, len(err.splitlines())) == (3, 1)
    assert err.rstrip().endswith("what became of run 17: codelocd runs show 17")


def test_a_daemon_that_ends_with_the_run_needs_to_say_no_more(project: Shell, runs: Runs) -> None:
    carried_out(runs, run(state="cancelled", why="shutdown"))
    runs.daemon.answers["run_show"] = lambda _: RpcError("down", "the daemon ends")
    done = project.run("run", "nightly")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("run 17 cancelled after 1.0s: the daemon ended\n")


def test_a_run_is_followed_under_the_next_daemon(project: Shell, runs: Runs) -> None:
    process = project.start("run", "nightly")
    runs.daemon.subscribed.wait(DEADLINE)
    runs.is_now(going_on())
    assert process.stdout is not None
    process.stdout.readline()
    runs.daemon.subscribed.clear()
    runs.lines.append("meanwhile")
    runs.daemon.hang_up()
    runs.daemon.subscribed.wait(DEADLINE)
    runs.ends(run(state="succeeded", why=None))
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        *["meanwhile", "raw_orders", "orders", "not_empty", "fresh", "report", "run"]
    ]


def test_without_a_daemon_it_says_what_to_do(project: Shell) -> None:
    done = project.run("run", "sales/nightly")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, "", 1)
    assert "codelocd run --here sales/nightly" in done.stderr
    assert "codelocd dev" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["slaes/nightly"], 4, 'did you mean "sales"?'),
        ([], 2, "LOCATION/JOB"),
        (["--here", "--detach", "nightly"], 2, "--detach is for runs of a daemon"),
        (["-f", "defs.py", "--key", "k", "nightly"], 2, "--key is for runs of a daemon"),
        (["nightly", "--no-checks", "--checks-only"], 2, "give one of them"),
        (["sales/nightly", "--run-config", "none.yaml"], 2, "none.yaml: No such file"),
        (["sales/nightly", "--run-config", "{"], 2, "'--run-config': {: while parsing"),
        (["sales/nightly", "--run-config", "{a: &x [*x]}"], 2, "a run config is JSON: Circular"),
        (["sales/nightly", "--run-config", "{a: !!set {x}}"], 2, "a run config is JSON: Object"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(
    project: Shell, runs: Runs, words: list[str], code: int, said: str
) -> None:
    other = {**LOCATION, "name": "ingest"}
    runs.daemon.answers["status"] = lambda _: status_document(LOCATION, other)  # type: ignore[arg-type]
    runs.daemon.answers["definitions"] = lambda _: {"definitions": []}
    done = project.run("run", *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1)
    assert said in done.stderr


def test_what_the_daemon_refuses_is_its_own_line(project: Shell, runs: Runs) -> None:
    refusal = RpcError("usage", "run 17 goes on; codelocd runs cancel 17")
    runs.runs[17] = going_on()
    runs.daemon.answers["run_retry"] = lambda _: refusal
    done = project.run("runs", "retry", "17")
    assert (done.returncode, done.stderr) == (2, f"codelocd: {refusal.message}\n")


@pytest.mark.parametrize(
    ("words", "made", "said"),
    [
        (["sales/nightly"], None, "ingest/customers was made by no run; `codelocd run ingest/cust"),
        (["sales/orders"], 3 * 3600, "ingest/customers was last made 3h 0m ago; "),
        (["sales/orders"], 1800, None),
        (["sales/other"], None, None),
        (["sales", "--select", "+other"], None, "ingest/customers was made by no run"),
    ],
)
def test_what_other_locations_have_to_have_made_lately(
    project: Shell, runs: Runs, words: list[str], made: float | None, said: str | None
) -> None:
    sales = {"location": "sales", "repository": "__repository__"}
    listed = [
        {**sales, "kind": "job", "name": "nightly", "assets": [["orders"]]},
        {**sales, "kind": "asset", "name": "orders", "key": ["orders"], "deps": [["customers"]]},
        {**sales, "kind": "asset", "name": "other", "key": ["other"], "deps": []},
    ]
    customers = {**sales, "location": "ingest", "key": ["customers"]}
    edges = [{"from": customers, "to": {**sales, "key": ["orders"]}}]
    last_made = None if made is None else {"run": 3, "at": time.time() - made}
    runs.daemon.answers |= {
        "definitions": lambda _: {"definitions": listed, "edges": edges},
        "show": lambda _: {"last_made": last_made},
    }
    carried_out(runs, run(state="succeeded", why=None))
    done = project.run("run", *words, "--require-upstream", "2h")
    assert done.returncode == (0 if said is None else 1), done.stderr
    assert (said or "") in done.stderr


@pytest.mark.parametrize("words", [["runs"], ["runs", "list"], ["runs", "--limit", "5"]])
def test_runs_lists_them(project: Shell, runs: Runs, words: list[str]) -> None:
    runs.runs[17] = run()
    done = project.run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:4] == ["17", "sales/nightly", "failed:", "check"]


def test_a_list_is_narrowed_down_by_the_daemon(project: Shell, runs: Runs) -> None:
    words = "runs --location sales --state failed --state lost --limit 3 --before 9 --json"
    done = project.run(*words.split())
    assert json.loads(done.stdout) == {"runs": [], "more": False}
    assert runs.daemon.asked[-1] == (
        "runs",
        {"locations": ["sales"], "states": ["failed", "lost"], "limit": 3, "before": 9},
    )


def test_a_state_that_does_not_exist_is_one_line(project: Shell, runs: Runs) -> None:
    done = project.run("runs", "--state", "faild")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert 'did you mean "failed"?' in done.stderr


@pytest.mark.parametrize("words", [["show", "17"], ["17"]])
def test_one_run_is_shown(project: Shell, runs: Runs, words: list[str]) -> None:
    runs.runs[17] = run()
    done = project.run("runs", *words)
    assert done.stdout.startswith("run 17  sales/nightly  failed: check\n")
    assert json.loads(project.run("runs", *words, "--json").stdout) == run()


def test_what_is_no_number_of_a_run_is_one_line(project: Shell, runs: Runs) -> None:
    for words in (["show", "x"], ["cancel", "17", "0x2"], ["logs", "9" * 30]):
        done = project.run("runs", *words)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "is no number of a run; `codelocd runs` lists them" in done.stderr


def test_a_run_that_does_not_exist_is_exit_4(project: Shell, runs: Runs) -> None:
    done = project.run("runs", "show", "99")
    assert (done.returncode, done.stderr) == (
        4,
        "codelocd: there is no run 99; `codelocd runs` lists …\n",
    )


def test_the_code_of_a_run_is_printed_or_written(project: Shell, runs: Runs) -> None:
    runs.runs[17] = run()
    printed = project.run("runs", "show", "17", "--code")
    assert printed.stdout == "==> /shop/defs.py <==\nx = 1\n\n==> /shop/more/y.py <==\ny = 2\n"
    folder = project.folder / "of-17"
    written = project.run("runs", "show", "17", "--code", "-o", "of-17")
    assert (written.returncode, written.stdout) == (0, "")
    found = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*.py")}
    assert found == {"defs.py": "x = 1\n", "more/y.py": "y = 2\n"}
    again = project.run("runs", "show", "17", "--code", "-o", "of-17")
    assert (again.returncode, "not empty" in again.stderr) == (1, True)
    assert project.run("runs", "show", "17", "-o", "x").returncode == 2


def test_output_is_shown_and_followed_to_the_end_of_the_run(project: Shell, runs: Runs) -> None:
    runs.lines = ["one", "two"]
    runs.runs[17] = going_on()
    shown = project.run("runs", "logs", "17", "-n", "1")
    assert [line.split()[-1] for line in shown.stdout.splitlines()] == ["two"]
    process = project.start("runs", "logs", "-f", "17")
    assert process.stdout is not None
    seen = [process.stdout.readline().split()[-1] for _ in range(2)]
    runs.prints("three")
    runs.ends(run())
    out, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (0, "")
    assert [*seen, *(line.split()[-1] for line in out.splitlines())] == ["one", "two", "three"]


def test_cancel_waits_for_the_end(project: Shell, runs: Runs) -> None:
    done = project.run("runs", "cancel", "17", "--kill")
    assert (done.returncode, done.stdout) == (0, "run 17 cancelled after 1.0s\n")
    assert runs.daemon.asked[-1] == ("run_cancel", {"id": 17, "kill": True})


def test_status_has_a_column_of_runs_only_where_there_are_any(
    project: Shell, daemon: FakeDaemon
) -> None:
    assert "RUNS" not in project.run("status").stdout
    busy = {**LOCATION, "runs": {"running": 1, "queued": 2}}
    daemon.answers["status"] = lambda _: status_document(busy)  # type: ignore[arg-type]
    shown = project.run("status").stdout
    assert "RUNS" in shown
    assert "1 running, 2 queued" in shown


def test_show_tells_when_an_asset_was_last_made(
    project: Shell, daemon: FakeDaemon, tmp_path: Path
) -> None:
    asset = {
        "location": "sales",
        "repository": "__repository__",
        "kind": "asset",
        "name": "orders",
        "key": ["orders"],
        "last_made": {"run": 17, "at": AT, "code_current": False},
    }
    daemon.answers["show"] = lambda _: asset
    shown = project.run("show", "sales/orders").stdout
    assert "by run 17, with other code than the present" in shown
