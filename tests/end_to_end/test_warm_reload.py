"""Reloads from a warm interpreter, seen from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests import commands
from tests.end_to_end.daemons import Dev, Entry, StartDev, native, serving

ENTRY = os.path.join("codeloc_runner", "__main__.py")


def forked(entry: Entry) -> bool:
    return serving(entry) and entry["start_method"] == "fork"


def reload_until_forked(daemon: Dev, name: str = "defs") -> Entry:
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
    assert entry["start_method"] == "fork", daemon.cli("show", "defs").stdout


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


WITH_CHILDREN = """
import multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from codeloc import Definitions, asset

def name_of(number):
    import codeloc
    return f"{codeloc.__name__}_{number}"

def by(method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(name_of, method).result()

def make(name):
    @asset(name=name)
    def it(): ...
    return it

if multiprocessing.parent_process() is None:
    program = [sys.executable, "-c", "import codeloc; print(codeloc.__name__)"]
    names = [*map(by, ("spawn", "forkserver", "fork")), subprocess.check_output(program, text=True)]
    defs = Definitions(assets=[make(name.strip()) for name in names])
"""
CHILDREN = [
    "asset codeloc",
    "asset codeloc_fork",
    "asset codeloc_forkserver",
    "asset codeloc_spawn",
]


def test_children_of_a_runner_that_was_started_warm_have_what_it_has(
    dev: StartDev, project: Path
) -> None:
    (project / "codelocd.toml").write_text(
        "".join(
            f'[location.{method}]\npython_file = "defs.py"\nstart_method = "{method}"\n'
            for method in ("fork", "spare")
        )
    )
    (project / "defs.py").write_text(WITH_CHILDREN)
    checked = commands.run(["check"], cwd=project)
    assert "2 locations checked, 0 failed" in checked.stdout, checked.stdout
    daemon = dev()
    daemon.until_serving("fork", "spare")
    for name in ("fork", "spare"):
        while daemon.entry(name)["start_method"] != name:
            assert daemon.cli("reload", name).returncode == 0
        assert sorted(daemon.definitions(name)) == CHILDREN
    script = project / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "def name_of(_):\n"
        "    import codeloc\n"
        "    return codeloc.__name__\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(*pool.map(name_of, [1]))\n"
    )
    assert daemon.cli("exec", "fork", "--", "python", "script.py").stdout == "codeloc\n"


@pytest.mark.slow  # joblib comes from PyPI
def test_workers_of_joblib_have_what_the_runner_has(dev: StartDev, project: Path) -> None:
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nenvironment = { packages = ["joblib"] }\n'
    )
    (project / "defs.py").write_text(
        "import multiprocessing\n"
        "from joblib import Parallel, delayed\n"
        "from codeloc import Definitions, asset\n"
        "def name_of(number):\n"
        "    import codeloc\n"
        "    return f'{codeloc.__name__}_{number}'\n"
        "def make(name):\n"
        "    @asset(name=name)\n"
        "    def it(): ...\n"
        "    return it\n"
        "if multiprocessing.parent_process() is None:\n"
        "    names = Parallel(n_jobs=2)(delayed(name_of)(number) for number in range(2))\n"
        "    defs = Definitions(assets=[make(name) for name in names])\n"
    )
    daemon = dev()
    daemon.until_serving("sales")
    assert sorted(daemon.definitions()) == ["asset codeloc_0", "asset codeloc_1"]
    reload_until_forked(daemon, "sales")
    assert sorted(daemon.definitions()) == ["asset codeloc_0", "asset codeloc_1"]
