"""What docs/reliability.md promises of commands, each test named after its number."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codelocd.rpc import unix
from codelocd.storage import sockets
from tests.commands import run
from tests.end_to_end.daemons import CODELOCD, DEADLINE, Service, native, serving

LOG = '[daemon]\nlog_format = "json"\n'


class Commands:
    """A service of three locations, and the commands that speak to it."""

    def __init__(self, project: Path, home: Path) -> None:
        self.config = project / "codelocd.toml"
        for name in ("a", "b", "c", "d"):
            (project / f"{name}.py").write_text(native("one"))
        self.save(a="", b="", c="")
        self.service = Service(project, home)

    def save(self, **tables: str) -> None:
        found = [
            f'[location.{name}]\npython_file = "{name}.py"\n{more}\n'
            for name, more in tables.items()
        ]
        self.config.write_text(LOG + "".join(found))

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(arguments, environ=self.service.environ)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [CODELOCD, *arguments],
            env=self.service.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pids(self) -> dict[str, int]:
        return {each["name"]: each["pid"] for each in self.service.status()["locations"]}


@pytest.fixture
def commands(project: Path, tmp_path: Path) -> Iterator[Commands]:
    found = Commands(project, tmp_path)
    try:
        found.service.told(b"READY=1")
        found.service.until_serving("a", "b", "c")
        yield found
    finally:
        found.service.stop()


def test_promise_22_apply_restarts_what_changed_alone_and_a_broken_config_changes_nothing(
    commands: Commands,
) -> None:
    before = commands.pids()
    commands.save(
        a='env = { TOKEN = "s3cret" }', b='stop_timeout = "5s"\nmemory_limit = "100MiB"', c="", d=""
    )
    planned = (
        "+ d added\n"
        '~ a reloaded: env.TOKEN none → "(not shown)"\n'
        '~ b adjusted: stop_timeout "10s" → "5s", memory_limit none → "100MiB"\n'
    )
    dry = commands.cli("apply", "--dry-run")
    assert (dry.stdout, dry.returncode) == (planned, 0)
    document = json.loads(commands.cli("apply", "--dry-run", "--json").stdout)
    assert document["changes"] == {
        "a": {"env.TOKEN": [None, "(not shown)"]},
        "b": {"stop_timeout": [10.0, 5.0], "memory_limit": [None, 104857600]},
    }
    assert "s3cret" not in str(document)
    assert commands.pids() == before

    done = commands.cli("apply")
    assert (done.stdout, done.returncode) == (planned, 0)
    commands.service.until("a", lambda a: serving(a) and a["generation"] == 2)
    commands.service.until_serving("d")
    after = commands.pids()
    assert after["a"] != before["a"]
    assert (after["b"], after["c"]) == (before["b"], before["c"])

    commands.config.write_text(LOG + '[location.a]\npython_fil = "a.py"\n')
    refused = commands.cli("apply")
    assert (refused.returncode, refused.stdout) == (2, "")
    told = [line for line in refused.stderr.splitlines() if line.startswith("codelocd: ")]
    assert told[0].startswith(f"codelocd: {commands.config}:3: location.a: names no code")
    assert commands.pids() == after


SLOW_TO_END = """
import atexit, pathlib, time

def wait():
    while not pathlib.Path({go!r}).exists():
        time.sleep(0.01)

atexit.register(wait)
"""


def test_promise_25_orders_wait_for_their_own_location_alone_and_say_for_what(
    commands: Commands, project: Path
) -> None:
    go = project / "go"
    (project / "a.py").write_text(native("one", before=SLOW_TO_END.format(go=str(go))))
    commands.service.until("a", lambda a: serving(a) and a["generation"] == 2)
    first = commands.begin("stop", "a")
    commands.service.until("a", lambda a: a["state"] == "stopping")
    assert commands.cli("restart", "b").returncode == 0
    assert first.poll() is None

    second = commands.begin("start", "a")
    assert second.stderr is not None
    told = iter(second.stderr.readline, "")
    assert next(line for line in told if "waiting" in line).startswith("waiting for stop of a (")
    go.touch()
    assert first.communicate(timeout=DEADLINE)[0] == "a stopped\n"
    assert first.returncode == 0
    assert second.communicate(timeout=DEADLINE)[0] == "a serving\n"
    assert second.returncode == 0


def test_promise_25_a_start_that_somebody_stops_says_so(commands: Commands, project: Path) -> None:
    (project / "d.py").write_text("import time\ntime.sleep(600)\n")
    commands.save(a="", b="", c="", d="")
    assert commands.cli("apply").returncode == 0
    commands.service.until("d", lambda d: d["state"] == "starting")
    waiting = commands.begin("start", "d")
    commands.service.until("d", lambda d: d["state"] == "starting" and asks(waiting))
    assert commands.cli("stop", "d").returncode == 0
    printed, told = waiting.communicate(timeout=DEADLINE)
    assert printed == "d stopped: another order, stop, came after this one\n"
    assert waiting.returncode == 1
    assert "start failed for d" in told


def asks(process: subprocess.Popen[str]) -> bool:
    """Whether it waits for the outcome: it says so."""
    assert process.stderr is not None
    return "waiting for d to load" in next(
        line for line in iter(process.stderr.readline, "") if "waiting" in line
    )


def test_promise_23_status_keeps_the_last_exit_and_its_reason_after_recovery(
    commands: Commands,
) -> None:
    os.kill(commands.pids()["a"], signal.SIGKILL)
    commands.service.until("a", lambda a: serving(a) and a["generation"] == 2)
    found = next(each for each in commands.service.status()["locations"] if each["name"] == "a")
    assert found["problem"] is None
    assert found["last_failure"]["summary"] == "the runner was killed by SIGKILL"
    assert (found["last_exit"]["signal"], found["last_exit"]["asked"]) == (9, False)
    assert (found["restarts"], found["restarts_1h"]) == (1, 1)
    table = commands.cli("status").stdout.splitlines()
    assert "LAST EXIT" in table[0]
    assert re.search(r"^a .*\d\w+ ago: was killed by SIGKILL", "\n".join(table), re.MULTILINE)
    assert commands.cli("reload", "a").returncode == 0
    page = commands.cli("show", "a").stdout
    assert "Last failure: crash: the runner was killed by SIGKILL, " in page
    document = json.loads(commands.cli("status", "--json").stdout)
    assert document["schema"] == 1
    assert document["locations"][0]["last_failure"] == found["last_failure"]


def test_promise_26_the_socket_is_the_owners_alone_and_errors_name_place_cause_and_next_step(
    commands: Commands,
) -> None:
    place = Path(commands.service.environ["CODELOCD_SOCKET"])
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    for words, cause, step in (
        (("--socket", f"{place}x"), "there is no socket at", "start one with `codelocd serve`"),
        (("--socket", str(commands.config)), "no daemon listens on the socket", "start one with"),
    ):
        done = commands.cli(*words, "status")
        assert done.returncode == 3
        assert len(done.stderr.splitlines()) <= 3
        assert "Traceback" not in done.stderr
        assert words[1] in done.stderr
        assert cause in done.stderr
        assert step in done.stderr


def test_promise_28_doctor_names_what_is_in_the_way_and_the_next_step(
    commands: Commands, project: Path
) -> None:
    well = commands.cli("doctor", "--json")
    document = json.loads(well.stdout)
    areas = {each["area"] for each in document["findings"]}
    assert areas >= {
        "daemon",
        "sockets",
        "state",
        "store",
        "processes",
        "cgroup",
        "clock",
        "python",
    }
    assert (document["ok"], well.returncode) == (True, 0)
    pid = commands.service.status()["daemon"]["pid"]
    said = {each["area"]: each["what"] for each in document["findings"]}
    assert f"pid {pid}" in said["daemon"]
    environ = commands.service.environ
    assert said["store"].startswith(environ["XDG_DATA_HOME"]), "it runs with --user"
    assert said["state"].startswith(environ["STATE_DIRECTORY"])

    broken = project / "broken"
    broken.mkdir()
    (broken / "codelocd.toml").write_text('[location.a]\npython_file = "gone.py"\n')
    place = sockets.control(sockets.dev_folder(str(broken), str(project.parent / "runtime")))
    Path(place).parent.mkdir(parents=True)
    unix.listen(Path(place)).close()
    environ = {**commands.service.environ, "XDG_RUNTIME_DIR": str(project.parent / "runtime")}
    for name in ("CODELOCD_SOCKET", "RUNTIME_DIRECTORY"):
        environ.pop(name)
    done = run(["doctor"], cwd=broken, environ=environ)
    assert done.returncode == 1
    assert f"! sockets: no process listens on {place}\n  `rm {place}`" in done.stdout
    assert f"no such file: {broken}/gone.py\n  create it, or correct the path\n" in done.stdout
    assert "\n1 problem, " in done.stdout


def test_doctor_looks_where_serve_would_keep_its_things(tmp_path: Path) -> None:
    """Root's service is the machine's, with its store in the state folder."""
    given = {
        "STATE_DIRECTORY": str(tmp_path / "state"),
        "RUNTIME_DIRECTORY": str(tmp_path / "run"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "CODELOCD_SOCKET": str(tmp_path / "none.sock"),
    }
    places = {"--user": tmp_path / "data", "--system": tmp_path / "state" / "store"}
    unasked = places["--user" if os.getuid() else "--system"]
    for options, store in (((), unasked), *(((key,), place) for key, place in places.items())):
        done = run(["doctor", "--json", *options], cwd=tmp_path, environ={**os.environ, **given})
        found = [e["what"] for e in json.loads(done.stdout)["findings"] if e["area"] == "store"]
        assert [what.split(":")[0].startswith(str(store)) for what in found] == [True], options
