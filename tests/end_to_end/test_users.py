"""Locations of other users than the daemon's: `user` and `group`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codeloc_envs.ownership import barrier
from codelocd.storage.paths import lock_holder

DEADLINE = 60.0
FIRST, SECOND = 65532, 65533
CODELOCD = str(Path(sys.executable).with_name("codelocd"))
PYTHON = "/usr/bin/python3"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists(PYTHON) or sys.platform != "linux",
    reason="only root can start processes of other users, who need a Python that they can reach",
)
DEFS = """
import json, os, sys
from codeloc import Definitions, asset

def refused(what, *arguments):
    try:
        what(*arguments)
    except OSError as error:
        return type(error).__name__

with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file.read().splitlines())
with open("/dev/stdout", "w") as out:
    out.write("said by name\\n")
inside = [os.path.join(at, each) for at, ds, fs in os.walk(sys.prefix) for each in (*ds, *fs)]
told = {
    "uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(),
    "no_new_privs": status["NoNewPrivs"].strip(), "capabilities": status["CapEff"].strip("\\t0"),
    "back": refused(os.setuid, 0), "home": os.environ["HOME"], "umask": os.umask(0o22),
    "writable": [each for each in inside if not os.path.islink(each) and os.access(each, os.W_OK)],
    "unreadable": [each for each in inside if not os.access(each, os.R_OK)],
    "store": refused(os.listdir, os.path.dirname(os.path.dirname(sys.prefix))),
    "key": os.environ.get("KEY"),
    "compiled": bool(sys.pycache_prefix) and os.access(sys.pycache_prefix, os.W_OK),
}

@asset(description=json.dumps(told))
def it(): ...

defs = Definitions(assets=[it])
"""


@dataclass(frozen=True)
class Place:
    """A folder that every user can pass, with a project in it."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        home = {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder / "run")}
        secrets = {"CREDENTIALS_DIRECTORY": str(self.folder / "secrets")}
        return {"PATH": "/usr/bin:/bin", **home, **secrets}

    def config(self, text: str) -> Path:
        file = self.folder / "codelocd.toml"
        head = f'[daemon]\nstore = "{self.folder}/store"\nsocket = "{self.folder}/run/s"\n'
        version = subprocess.run([PYTHON, "-V"], capture_output=True, text=True).stdout.split()[1]
        wish = f'[defaults.environment]\npython = "=={version}"\n'
        file.write_text(f'{head}state_dir = "{self.folder}/state"\n{text}{wish}')
        return file

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        where: dict[str, Any] = {"cwd": self.folder, "env": self.environ, "text": True}
        return subprocess.Popen([CODELOCD, *arguments], **where, **options)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=DEADLINE)
        return process.returncode, out, err

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, dict[str, Any]]:
        """The entries by name, as soon as `holds` of each."""
        end, out = time.monotonic() + DEADLINE, ""
        while time.monotonic() < end:
            code, out, _ = self.run("status", "--json")
            entries = json.loads(out)["locations"] if code in (0, 1) else []
            if entries and all(map(holds, entries)):
                return {each["name"]: each for each in entries}
        raise AssertionError(out)


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "run").mkdir(mode=0o700)
    (folder / "defs.py").write_text(DEFS)
    (folder / "defs.py").chmod(0o644)
    yield Place(folder)
    shutil.rmtree(folder)


def test_one_runs_as_its_user_with_no_way_back(place: Place) -> None:
    secrets = place.folder / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "key").write_text("root's alone")
    env = 'env = { KEY = { credential = "key" } }'
    place.config(f'[defaults]\nuser = "{FIRST}"\n{env}\n[location.a]\npython_file = "defs.py"\n')
    code, out, err = place.run("check", "--json", "--definitions")
    assert code == 0, out + err
    told = json.loads(json.loads(out)["definitions"][0]["description"])
    assert told.pop("umask") == os.umask(os.umask(0o22))
    assert told == {
        "uids": [FIRST] * 3, "gids": [FIRST] * 3, "groups": [FIRST],
        "no_new_privs": "1", "capabilities": "", "back": "PermissionError", "home": "/",
        "writable": [], "unreadable": [], "store": "PermissionError", "compiled": True,
        "key": "root's alone",
    }  # fmt: skip
    assert "run as root" not in err


def identity(pid: int) -> int:
    return os.stat(f"/proc/{pid}").st_uid


def test_two_users_share_no_interpreter_and_a_new_daemon_takes_over(place: Place) -> None:
    both = "".join(
        f'[location.{name}]\npython_file = "defs.py"\nuser = "{uid}"\nnice = -3\n'
        for name, uid in (("first", FIRST), ("second", SECOND))
    )
    file = str(place.config(both))
    daemon = place.start("serve", "-c", file, stdout=subprocess.DEVNULL)
    try:
        began = place.until(lambda each: each["state"] == "serving")
        code, _, err = place.run("reload", "--all")
        assert code == 0, err
        entries = place.until(
            lambda each: each["state"] == "serving" and each["pid"] != began[each["name"]]["pid"]
        )
        pids = {name: each["pid"] for name, each in entries.items()}
        assert {name: identity(pid) for name, pid in pids.items()} == {
            "first": FIRST,
            "second": SECOND,
        }
        assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in pids.values()} == {-3}
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(DEADLINE)
        daemon = place.start("serve", "-c", file, stdout=subprocess.DEVNULL)
        kept = place.until(lambda each: each["state"] == "serving")
        assert {name: each["pid"] for name, each in kept.items()} == pids
        locks = place.folder / "state" / "serving"
        assert {name: lock_holder(locks / f"{name}.lock") for name in pids} == pids
        code, out, err = place.run("call", "first", "describe")
        assert code == 0, err
        who = "import os; print(os.getresuid(), os.getgroups(), os.environ['USER'])"
        code, out, err = place.run("exec", "second", "--", "python", "-c", who)
        assert (code, out) == (0, f"{(SECOND,) * 3} [{SECOND}] {SECOND}\n"), err
        code, out, _ = place.run("logs", "first", "-n", "50")
        assert "said by name" in out
    finally:
        daemon.terminate()
        daemon.wait(DEADLINE)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[defaults]\nuser = "no-such-one"\n', 'defaults.user: there is no user "no-such-one"'),
        ('[location.a]\ngroup = "no-such-one"\n', "location.a.group: there is no group"),
    ],
)
def test_who_is_not_there_is_a_mistake_of_its_line(place: Place, text: str, line: str) -> None:
    section = "" if "location.a" in text else "[location.a]\n"
    place.config(f'{text}{section}python_file = "defs.py"\n')
    code, _, err = place.run("check")
    assert code == 2
    assert line.replace('"', "'") in err
    assert f"{place.folder}/codelocd.toml:6: " in err


def test_a_daemon_of_roots_says_that_locations_run_as_root(place: Place) -> None:
    place.config('[location.a]\npython_file = "defs.py"\n')
    _, out, _ = place.run("doctor")
    assert "locations run as root" in out
    place.config('[location.a]\npython_file = "defs.py"\nuser = "root"\n')
    assert "locations run as root" not in place.run("doctor")[1]


def test_it_does_not_go_with_dagsters_ui(place: Place) -> None:
    place.config(f'[location.a]\npython_file = "defs.py"\nuser = "{FIRST}"\n')
    code, _, err = place.run("dev", "--dagster")
    assert code == 2
    assert "location.a: user and group do not go with Dagster's UI" in err


def test_a_python_that_the_user_may_not_reach_is_named(tmp_path: Path) -> None:
    python = tmp_path / "inner" / "python"
    python.parent.mkdir()
    tmp_path.chmod(0o710)
    closed = barrier(python, FIRST, (FIRST,))
    assert closed is not None
    assert tmp_path.is_relative_to(closed)
    assert barrier(python, os.geteuid(), ()) is None
    assert barrier(Path(PYTHON), FIRST, (FIRST,)) is None


OWN_RELEASE = """
import json, os
from codeloc import Definitions, asset

here = os.path.dirname(os.path.abspath(__file__))
above = os.path.dirname(os.path.dirname(here))
told = {
    "uid": os.getuid(), "here": here,
    "unreadable": [each for each in os.listdir(here) if not os.access(each, os.R_OK)],
    "writable": [path for path in (here, above, __file__) if os.access(path, os.W_OK)],
    "lists others": os.access(above, os.R_OK),
}

@asset(description=json.dumps(told))
def it(): ...

defs = Definitions(assets=[it])
"""


def test_a_user_reads_its_release_and_writes_nothing_there(place: Place) -> None:
    both = "".join(
        f'[location.{name}]\npython_file = "defs.py"\nuser = "{uid}"\nreload = "manual"\n'
        for name, uid in (("first", FIRST), ("second", SECOND))
    )
    file = str(place.config(both))
    source = Path(tempfile.mkdtemp())  # root's alone: only who gives the command has to read it
    (source / "defs.py").write_text(OWN_RELEASE)
    (source / "defs.py").chmod(0o600)
    daemon = place.start("serve", "-c", file, stdout=subprocess.DEVNULL)
    try:
        place.until(lambda each: each["state"] == "serving")
        for name, uid in (("first", FIRST), ("second", SECOND)):
            code, _, err = place.run("deploy", name, "--source", str(source))
            assert code == 0, err
            _, out, _ = place.run("definitions", name, "--json")
            told = json.loads(json.loads(out)["definitions"][0]["description"])
            release = Path(told.pop("here")).parent
            assert told == {"uid": uid, "unreadable": [], "writable": [], "lists others": False}
            status = release.stat()
            assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, uid, 0o750)
        code, out, _ = place.run("releases", "--json")
        assert {each["releases"][0]["user"] for each in json.loads(out)["locations"]} == {"root"}
    finally:
        daemon.terminate()
        daemon.wait(DEADLINE)
        shutil.rmtree(source)
