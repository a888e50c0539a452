"""Reloads from a warm interpreter, seen from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
from daemons import StartDev, native, serving

ENTRY = os.path.join("codeloc_runner", "__main__.py")


def forked(entry: dict) -> bool:
    return serving(entry) and entry["start_method"] == "fork"


def reload_until_forked(daemon, name: str = "defs") -> dict:
    """A warm interpreter is made in the background: sooner or later a reload starts from it."""
    while not forked(entry := daemon.entry(name)):
        assert daemon.cli("reload", name).returncode == 0
    return entry


def test_reloads_are_forked_and_status_and_show_say_so(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    assert daemon.entry("defs")["start_method"] == "spawn"
    generation = reload_until_forked(daemon)["generation"]
    (project / "defs.py").write_text(native("one", "two"))
    entry = daemon.until("defs", lambda entry: entry["generation"] == generation + 1)
    assert entry["start_method"] == "fork"
    assert daemon.definitions() == ["asset one", "asset two"]
    shown = daemon.json("show", "defs")
    assert shown["why"]["start_method"] == "nothing that it imports forbids it"
    assert psutil.Process(shown["pid"]).ppid() == daemon.process.pid


MARKED = "import os\nmark = os.environ.get('DAGSTER_IS_DEV_CLI', 'unset') or 'empty'\n"


def test_code_in_development_is_told_so_after_a_warm_start_too(
    dev: StartDev, project: Path
) -> None:
    declared = [f'[location.{name}]\npython_file = "defs.py"\n' for name in ("own", "told")]
    told = 'env = { DAGSTER_IS_DEV_CLI = "" }\n'
    (project / "codelocd.toml").write_text("".join(declared) + told)
    (project / "defs.py").write_text(
        MARKED + native("x").replace("@asset\n", "@asset(key=[f'in_{mark}'])\n")
    )
    daemon = dev()
    daemon.until_serving("own", "told")
    reload_until_forked(daemon, "own")
    assert daemon.definitions("own") == ["asset in_1"]
    assert daemon.definitions("told") == ["asset in_empty"]
    command = ["python", "-c", "import os; print(os.environ['DAGSTER_IS_DEV_CLI'])"]
    assert daemon.cli("exec", "own", "--", *command).stdout == "1\n"


def test_a_reload_tells_where_its_time_went(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (project / "defs.py").write_text(native("one", "two"))
    daemon.until("defs", lambda entry: serving(entry) and entry["generation"] == 2)
    timing = daemon.json("show", "defs", "--timing")
    stages = ["event", "decision", "start", "import", "snapshot", "publish"]
    assert list(timing) == [*stages, "total"]
    assert 0 < sum(timing[stage] for stage in stages) <= timing["total"] + 0.001
    assert "total" in daemon.cli("show", "defs", "--timing").stdout
    line = daemon.until_printed("1 added in")
    assert "import " in line
    assert "publish " in line


def test_a_killed_runner_is_replaced_by_a_fork(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    former = reload_until_forked(daemon)
    os.kill(former["pid"], signal.SIGKILL)
    entry = daemon.until("defs", lambda each: serving(each) and each["pid"] != former["pid"])
    assert entry["start_method"] == "fork"


def test_forked_runners_and_warm_interpreters_end_with_a_daemon_that_is_killed(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    reload_until_forked(daemon)
    family = psutil.Process(daemon.process.pid).children(recursive=True)
    assert len([each for each in family if ENTRY in " ".join(each.cmdline())]) >= 2
    daemon.stop(signal.SIGKILL)
    gone, alive = psutil.wait_procs(family, timeout=30)
    assert (len(gone), alive) == (len(family), [])


def test_a_restarted_daemon_starts_its_locations_from_what_it_learned(
    dev: StartDev, project: Path
) -> None:
    for name in ("a", "b", "c"):
        (project / f"{name}.py").write_text(native(name))
    targets = ("-f", "a.py", "-f", "b.py", "-f", "c.py")
    first = dev(*targets)
    first.until_serving("a", "b", "c")
    first.stop()
    second = dev(*targets)
    second.until_serving("a", "b", "c")
    assert {each["start_method"] for each in second.status()["locations"]} == {"fork"}
