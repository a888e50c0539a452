"""`logs`, `show` and `events` when no daemon runs any more: what the last one left on disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import commands
from tests.end_to_end.daemons import Dev, Service, StartDev, native

CONFIG = '[location.sales]\npython_file = "defs.py"\n[location.broken]\npython_file = "broken.py"\n'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_dev_daemon_left_can_be_looked_at(
    dev: StartDev, project: Path, number: signal.Signals
) -> None:
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("orders", before="print('loading sales')"))
    (project / "broken.py").write_text("print('so far')\nraise RuntimeError('no luck')\n")
    daemon = dev()
    never = daemon.cli("--user", "logs")
    assert (never.returncode, never.stdout) == (3, "")
    daemon.until_serving("sales")
    daemon.until("broken", lambda entry: "no luck" in (entry["problem"] or {}).get("detail", ""))
    running = daemon.json("show", "broken")
    daemon.stop(number)
    look_back(daemon, running["problem"]["detail"])


def look_back(daemon: Dev, traceback: str) -> None:
    project = daemon.project
    assert daemon.cli("status").returncode == 3
    note = f"no dev daemon runs for {project}; this is what it left at {time.strftime('%Y-')}"

    logs = daemon.cli("logs", "sales")
    assert logs.returncode == 0
    assert logs.stdout.endswith(" sales | loading sales\n")
    assert logs.stderr.startswith(note)
    assert "so far" in daemon.cli("logs").stdout
    [line] = daemon.cli("logs", "sales", "--json").stdout.splitlines()
    assert json.loads(line)["text"] == "loading sales"

    shown = daemon.cli("show", "broken")
    assert shown.returncode == 0
    assert shown.stderr.startswith(note)
    for each in traceback.splitlines():
        assert each.strip() in shown.stdout
    assert "so far" in shown.stdout
    document = daemon.json("show", "sales")
    assert [each["name"] for each in document["definitions"]] == ["orders"]
    assert (document["state"], document["pid"]) == ("serving", None)
    assert document["left_at"] <= time.time()
    page = daemon.cli("show", "sales").stdout.splitlines()
    assert page[0] == "● sales: was serving"
    assert page[1].strip() == "Serving: nothing since the daemon ended, 0 restarts"
    assert "asset orders" in daemon.cli("show", "sales/orders").stdout

    events = daemon.cli("events", "sales", "--json")
    assert events.stderr.startswith(note)
    entries = [json.loads(each) for each in events.stdout.splitlines()]
    assert {each["location"] for each in entries} == {"sales"}
    assert "serving" in {each["after"] for each in entries}
    assert len(daemon.cli("events", "-n", "2").stdout.splitlines()) == 2

    ends = [
        json.loads(each) for each in daemon.cli("events", "broken", "--json").stdout.splitlines()
    ]
    told = {each["event"]: each["detail"] for each in ends}
    assert told["load-failed"] == "RuntimeError: no luck (broken.py:2)"
    assert told.get("exited", "ended by the daemon") == "ended by the daemon"

    assert "watched" not in shown.stdout
    without = daemon.cli("show", "orders")
    assert (without.returncode, 'did you mean "sales/orders"?' in without.stderr) == (4, True)
    for command in (["show", "slaes"], ["logs", "slaes"], ["events", "slaes"]):
        unknown = daemon.cli(*command)
        assert unknown.returncode == 4
        assert 'did you mean "sales"?' in unknown.stderr
    assert daemon.cli("show", "sales/nothing").returncode == 4
    assert daemon.cli("logs", "-f").returncode == 3
    assert daemon.cli("--socket", "elsewhere", "logs").returncode == 3


def test_a_line_of_another_day_has_its_date(dev: StartDev, project: Path, tmp_path: Path) -> None:
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("orders", before="print('loading sales')"))
    (project / "broken.py").touch()
    daemon = dev()
    daemon.until_serving("sales")
    daemon.stop()
    [log] = (tmp_path / "home" / "state").glob("**/logs/sales.log")
    log.write_text("0 2025-12-24T12:00:00.000Z 1 stdout old\n" + log.read_text())
    old, new = daemon.cli("logs", "sales").stdout.splitlines()
    assert old.startswith("2025-12-24 ")
    assert re.match(r"\d\d:\d\d:\d\d\.", new)  # the time alone, which begins with 20 at night, too


def test_what_a_service_left_can_be_looked_at(project: Path, tmp_path: Path) -> None:
    (project / "codelocd.toml").write_text('[daemon]\nlog_format = "json"\n' + CONFIG)
    (project / "defs.py").write_text(native("orders", before="print('loading sales')"))
    (project / "broken.py").touch()
    service = Service(project, tmp_path)
    service.until_logged("loaded")
    service.stop()
    done = commands.run(["--user", "logs", "sales"], cwd=project, environ=service.environ)
    assert "the user's daemon does not run; this is what it left at 2" in done.stderr
    assert (done.returncode, "loading sales" in done.stdout) == (0, True)


def test_what_a_service_left_where_its_config_says_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The config lies where systemd/README.md puts that of a user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "usual"))
    folder = tmp_path / "config" / "codelocd"
    folder.mkdir(parents=True)
    settings = f'[daemon]\nlog_format = "json"\nstate_dir = "{tmp_path}/elsewhere"\n'
    (folder / "codelocd.toml").write_text(settings + CONFIG)
    (folder / "defs.py").write_text(native("orders", before="print('loading sales')"))
    (folder / "broken.py").touch()
    service = Service(folder, tmp_path)
    service.until_logged("loaded")
    service.stop()
    outside = tmp_path / "outside"
    outside.mkdir()
    environ = {name: each for name, each in os.environ.items() if name != "CODELOCD_SOCKET"}
    environ["XDG_RUNTIME_DIR"] = str(tmp_path / "run")

    def asked(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return commands.run(words, cwd=cwd, environ=environ)

    for cwd, words in ((outside, ()), (outside, ("--user",)), (folder, ("--user",))):
        logs = asked(cwd, *words, "logs", "sales")
        assert "the user's daemon does not run; this is what it left at 2" in logs.stderr
        assert "loading sales" in logs.stdout
    assert "1 asset" in asked(outside, "--user", "show", "sales").stdout
    assert "sales" in asked(outside, "--user", "events").stdout
    monkeypatch.delenv("XDG_CONFIG_HOME")
    del environ["XDG_CONFIG_HOME"]
    assert asked(outside, "--user", "logs", "sales").returncode == 3
    assert "loading sales" in asked(folder, "--user", "logs", "sales").stdout
