"""`codelocd run` and `codelocd runs` with a real daemon."""

from __future__ import annotations

import grp
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import CODELOCD, DEADLINE, Dev, serving, stale, wait_for
from tests.shop import SALES

CONFIG = f"""
[daemon]
observe_group = "{grp.getgrgid(os.getegid()).gr_name}"
[defaults]
environment = {{ path = "{sys.prefix}" }}
[location.sales]
python_file = "sales.py"
[location.ingest]
python_file = "ingest.py"
"""
INGEST = """
from codeloc import Definitions, asset

@asset
def customers():
    return 3

defs = Definitions(assets=[customers])
"""


class Shop(Dev):
    """A daemon with two locations, and a shell in its project."""

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [CODELOCD, *words],
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_now(self, name: str) -> dict[str, Any]:
        """The document of a run of `sales` once it has ended."""
        with self.client() as client:
            return client.run("sales", name, wait=True)

    def begun(self, name: str) -> int:
        """The number of a run of `sales` whose code has printed something."""
        with self.client() as client:
            number: int = client.run("sales", name)["id"]
            wait_for(lambda: client.call("run_logs", {"id": number})["lines"])
            return number

    def of(self, number: int) -> dict[str, Any]:
        with self.client() as client:
            document: dict[str, Any] = client.call("run_show", {"id": number})["run"]
            return document


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    project = folder / "project"
    project.mkdir()
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "sales.py").write_text(SALES)
    (project / "ingest.py").write_text(INGEST)
    daemon = Shop(project, folder / "home", ())
    daemon.until_serving("sales", "ingest")
    yield daemon
    daemon.stop()


def first_words(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()]


def test_a_run_is_shown_as_it_goes_on_and_recorded(shop: Shop) -> None:
    done = shop.cli("run", "sales/nightly", "--param", "day=5", "--tag", "team=a")
    assert (done.returncode, done.stderr) == (0, "to stderr\n")
    lines = [line.split() for line in done.stdout.splitlines()]
    number = lines[0][1]
    assert lines[0][:4] == ["run", number, "sales/nightly", "generation"]
    assert sorted(first_words(done.stdout)[1:-1]) == ["few", "fresh", "orders", "raw_orders", "to"]
    assert lines[-1][:3] == ["run", number, "succeeded"]
    listed = shop.cli("runs", "--location", "sales", "-n", "1").stdout.splitlines()
    assert listed[1].split()[:3] == [number, "sales/nightly", "succeeded"]
    shown = shop.cli("runs", "show", number).stdout
    assert "Parameters: day=5" in shown
    assert "Tags: team=a" in shown
    assert "By: cli " in shown
    found = shop.json("runs", "show", number)
    assert found["steps"][0]["metadata"] == {"rows": 1204, "version": 1}
    made = shop.cli("show", "sales/orders").stdout
    assert f"by run {number}, with the present code" in made


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sales/nightly", "--param", "day=100"], 1, "run {} failed after"),
        (["sales/broken", "sales/report"], 1, "1 step (broken)"),
        (["sales/flaky"], 0, "attempt 1 failed; the next one begins in"),
        (["sales/wait", "--timeout", "200ms"], 1, "longer than its timeout"),
        (["sales/nightly", "--param", "day=x"], 2, "'x' is no int"),
        (["ingest/customers"], 0, "succeeded"),
        (["sales/nighly"], 4, 'did you mean "nightly"?'),
    ],
)
def test_the_exit_code_says_how_it_ended(
    shop: Shop, words: list[str], code: int, said: str
) -> None:
    done = shop.cli("run", *words)
    printed = done.stdout + done.stderr
    assert done.returncode == code, printed
    number = done.stdout.split()[1] if done.stdout else ""
    assert said.format(number) in printed


def test_json_has_the_whole_run_and_events_come_one_a_line(shop: Shop) -> None:
    document = json.loads(shop.cli("run", "sales/nightly", "--json").stdout)
    assert [step["name"] for step in document["steps"]] == ["raw_orders", "orders"]
    assert document == shop.of(document["id"])
    printed = shop.cli("run", "sales/nightly", "--events").stdout
    events = [json.loads(line) for line in printed.splitlines()]
    told = [each["event"] for each in events if each["event"] != "run"]
    assert told == [*["begun", "loaded", "plan"], *["step"] * 4, *["check"] * 2, "result", "ended"]
    assert events[-1]["run"]["state"] == "succeeded"


def test_an_interrupt_cancels_and_what_was_opened_is_closed_in_order(shop: Shop) -> None:
    process = shop.start("run", "sales/wait")
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.split()[0])
        if line == "waits\n":
            process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 130
    assert [word for word in seen if word != "wait"] == ["run", "waits", "finally", "closed", "run"]
    _, err = process.communicate()
    assert "cancelling run" in err


def test_a_second_interrupt_kills(shop: Shop) -> None:
    process = shop.start("run", "sales/stay")
    assert process.stdout is not None
    number = process.stdout.readline().split()[1]
    for said in ("stays\n", "heard\n"):
        while process.stdout.readline() != said:
            continue
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert shop.of(int(number))["state"] == "cancelled"


def test_a_run_outlives_its_client_and_another_one_cancels_it(shop: Shop) -> None:
    process = shop.start("run", "sales/wait")
    assert process.stdout is not None
    number = process.stdout.readline().split()[1]
    assert process.stdout.readline() == "waits\n"
    process.kill()
    process.communicate()
    assert shop.of(int(number))["state"] == "running"
    assert "1 running" in shop.cli("status").stdout
    follower = shop.start("runs", "logs", "-f", number)
    cancelled = shop.cli("runs", "cancel", number)
    assert (cancelled.returncode, cancelled.stderr) == (0, "")
    assert cancelled.stdout.startswith(f"run {number} cancelled after ")
    out, _ = follower.communicate(timeout=DEADLINE)
    assert follower.returncode == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["waits", "finally", "closed"]
    late = shop.cli("runs", "cancel", number)
    assert (late.returncode, late.stdout.startswith(f"run {number} cancelled")) == (0, True)
    assert "RUNS" not in shop.cli("status").stdout


def test_what_another_command_cancels_is_a_failure_of_this_one(shop: Shop) -> None:
    process = shop.start("run", "sales/wait")
    assert process.stdout is not None
    number = process.stdout.readline().split()[1]
    process.stdout.readline()
    assert shop.cli("runs", "cancel", number, "--kill").returncode == 0
    out, _ = process.communicate(timeout=DEADLINE)
    assert (process.returncode, f"run {number} cancelled" in out) == (1, True)


def test_detached_it_prints_its_number_and_a_retry_waits_for_its_end(shop: Shop) -> None:
    number = shop.cli("run", "sales/wait", "--detach").stdout.strip()
    early = shop.cli("runs", "retry", number)
    assert (early.returncode, early.stdout, len(early.stderr.splitlines())) == (2, "", 1)
    assert shop.cli("runs", "cancel", number, "--kill").returncode == 0
    again = shop.cli("runs", "retry", number, "--detach")
    assert int(again.stdout) > int(number)
    assert shop.of(int(again.stdout))["retry_of"] == int(number)
    assert shop.cli("runs", "cancel", again.stdout.strip(), "--kill").returncode == 0


def test_a_name_without_its_location_is_told_whole(shop: Shop) -> None:
    done = shop.cli("run", "nightly")
    told = "codelocd: 'nightly' does not begin with a location; write sales/nightly\n"
    assert (done.returncode, done.stderr) == (4, told)


def test_a_key_is_one_run(shop: Shop) -> None:
    first = shop.cli("run", "sales/nightly", "--key", "monday", "--json")
    again = shop.cli("run", "sales/nightly", "--key", "monday", "--json")
    assert json.loads(first.stdout)["id"] == json.loads(again.stdout)["id"]
    shown = shop.cli("run", "sales/nightly", "--key", "monday")
    assert "has this key already" in shown.stderr
    assert shown.returncode == 0
    assert sorted(first_words(shown.stdout)[1:-1]) == ["few", "fresh", "orders", "raw_orders", "to"]


def test_the_next_page_is_of_the_same_choice(shop: Shop) -> None:
    numbers = [shop.cli("run", "ingest/customers", "--detach").stdout.strip() for _ in range(2)]
    page = shop.cli("runs", "list", "--location", "ingest", "-n", "1")
    more = f"more: codelocd runs --location ingest -n 1 --before {numbers[1]}"
    assert page.stdout.splitlines()[-1] == more


def test_what_other_locations_have_made_lately_can_be_required(shop: Shop) -> None:
    assert shop.cli("run", "ingest/customers").returncode == 0
    assert shop.cli("run", "sales/nightly", "--require-upstream", "1h").returncode == 0
    late = shop.cli("run", "sales/nightly", "--require-upstream", "0.001")
    assert (late.returncode, late.stdout) == (1, "")
    assert "ingest/customers was last made" in late.stderr
    wrong = shop.cli("run", "sales/adrift", "--require-upstream", "1h")
    assert wrong.returncode == 1
    told = "sales/adrift depends on ingest/customers, and no location has an asset of that key"
    assert told in wrong.stderr


def test_a_location_that_is_stale_runs_its_last_good_code(shop: Shop, tmp_path: Path) -> None:
    file = shop.project / "sales.py"
    file.write_text("this is no Python")
    shop.until("sales", stale)
    try:
        done = shop.cli("run", "sales/nightly")
        assert done.returncode == 0, done.stderr
        number = done.stdout.split()[1]
        folder = tmp_path / "code"
        shown = shop.cli("runs", "show", number, "--code", "-o", str(folder))
        assert shown.returncode == 0, shown.stderr
        assert [each.read_text() for each in folder.rglob("sales.py")] == [SALES]
    finally:
        file.write_text(SALES.replace("VERSION = 1", "VERSION = 2"))
    shop.until("sales", serving)
    assert "with other code than the present" in shop.cli("show", "sales/orders").stdout
    shop.run_now("nightly")
    assert "with the present code" in shop.cli("show", "sales/orders").stdout
    file.write_text(SALES)
    shop.until("sales", serving)


def test_runs_are_shown_where_no_daemon_runs_any_more(project: Path, tmp_path: Path) -> None:
    (project / "codelocd.toml").write_text(CONFIG.partition("[location.ingest]")[0])
    (project / "sales.py").write_text(SALES)
    daemon = Shop(project, tmp_path / "home", ())
    daemon.until_serving("sales")
    assert daemon.cli("run", "sales/nightly").returncode == 0
    answers = [["runs", "--state", "succeeded"], ["runs", "show", "1"], ["runs", "logs", "1"]]
    before = [daemon.json(*words) for words in answers[:2]]
    lines = daemon.cli("runs", "logs", "1", "--json").stdout
    assert daemon.begun("wait") == 2
    daemon.stop(signal.SIGKILL)
    wait_for(lambda: daemon.json("runs", "show", "2")["state"] == "lost")  # not `running` for ever
    assert [each["id"] for each in daemon.json("runs", "--state", "lost")["runs"]] == [2]
    assert daemon.json("runs", "--state", "running")["runs"] == []
    assert [daemon.json(*words) for words in answers[:2]] == before
    assert daemon.cli("runs", "logs", "1", "--json").stdout == lines
    shown = daemon.cli("runs")
    assert (shown.returncode, len(shown.stderr.splitlines())) == (0, 1)
    assert "no dev daemon runs for" in shown.stderr
    unknown = daemon.cli("runs", "show", "99")
    assert (unknown.returncode, unknown.stdout) == (4, "")
    assert daemon.cli("runs", "logs", "-f", "1").returncode == 3


def test_who_may_only_read_sees_runs_and_starts_and_ends_none(shop: Shop) -> None:
    number = str(shop.begun("wait"))
    reads = ["--socket", str(Path(shop.socket).with_name("observe.sock"))]
    listed = shop.cli("runs", *reads)
    assert (listed.returncode, listed.stdout.split("\n")[1].split()[0]) == (0, number)
    assert shop.cli("runs", "logs", number, *reads).stdout.split()[-1] == "waits"
    assert f"run {number}" in shop.cli("runs", "show", number, *reads).stdout
    orders = ["run", "sales/nightly"], ["runs", "cancel", number], ["runs", "retry", number]
    for order in orders:
        refused = shop.cli(*order, *reads)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "this socket only tells" in refused.stderr.splitlines()[-1]
    newest = shop.json("runs", "-n", "1")["runs"][0]
    assert (newest["id"], newest["state"]) == (int(number), "running")
    assert shop.cli("runs", "cancel", number, "--kill").returncode == 0


LATE = """
import pathlib, time
from codeloc import Definitions, job

gate = pathlib.Path(__file__).with_name("gate")
while not gate.exists():
    time.sleep(0.01)
exec(gate.read_text())

@job
def now(): ...

defs = Definitions(jobs=[now])
"""


@pytest.mark.slow
def test_a_location_that_loads_is_waited_for(project: Path, tmp_path: Path) -> None:
    """It is told after a second, and Ctrl-C ends the wait."""
    names = "late", "never"
    sections = [f'[location.{name}]\npython_file = "{name}/defs.py"\n' for name in names]
    (project / "codelocd.toml").write_text(CONFIG.partition("[location")[0] + "".join(sections))
    for name in names:
        (project / name).mkdir()
        (project / name / "defs.py").write_text(LATE)
    daemon = Shop(project, tmp_path / "home", (), serves=False)
    wait_for(lambda: daemon.cli("status").returncode == 1)
    words = ["late/now"], ["late/now", "--detach"], ["late/now", "--key", "k"], ["never/now"]
    runs = [daemon.start("run", *each) for each in words]
    for run, each in zip(runs, words, strict=True):
        assert run.stderr is not None
        assert f"{each[0].partition('/')[0]} to load" in run.stderr.readline()
    runs[2].send_signal(signal.SIGINT)
    runs[2].communicate(timeout=DEADLINE)
    (project / "late" / "gate").touch()
    (project / "never" / "gate").write_text("raise ValueError('never')")
    said = [run.communicate(timeout=DEADLINE) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 130, 1]
    assert "succeeded" in said[0][0]
    assert {int(said[0][0].split()[1]), int(said[1][0])} == {1, 2}
    assert said[3][1].splitlines()[-1].startswith("codelocd: never has not loaded: ValueError")
    assert len(daemon.json("runs")["runs"]) == 2
    daemon.stop()
