"""Hot reload, seen from outside."""

from __future__ import annotations

import itertools
import operator
import os
import subprocess
import time
from functools import partial
from pathlib import Path

from tests.end_to_end.daemons import DEADLINE, Entry, StartDev, failed, native, serving, stale


def test_a_saved_asset_is_listed(dev: StartDev, project: Path) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (project / "defs.py").write_text(native("one", "two"))
    daemon.until("defs", lambda entry: entry["generation"] == 2)
    assert daemon.definitions() == ["asset one", "asset two"]
    assert "1 added in" in daemon.until_printed("1 added in")
    daemon.until_printed("+ asset defs/two")


def test_promise_21_a_broken_save_keeps_the_old_definitions_until_the_repair(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (project / "defs.py").write_text(native("one", "two") + "\nthis is no python\n")
    entry = daemon.until("defs", stale)
    assert entry["generation"] == 1
    assert "SyntaxError" in entry["problem"]["summary"]
    assert daemon.definitions() == ["asset one"]
    assert daemon.cli("status").returncode == 1
    shown = daemon.cli("show", "defs").stdout
    assert 'defs.py", line 12' in shown
    assert "this is no python" in shown
    (project / "defs.py").write_text(native("one", "two"))
    entry = daemon.until("defs", serving)
    assert (entry["problem"], daemon.definitions()) == (None, ["asset one", "asset two"])
    assert daemon.cli("status").returncode == 0


def test_a_location_that_writes_what_it_watches_comes_to_rest(dev: StartDev, project: Path) -> None:
    """A load writes another text each time: such a change starts no load without end."""
    writing = "\nopen('loads', 'a').write('x')\nopen('made.csv', 'w').write(str(os.urandom(8)))\n"
    (project / "defs.py").write_text("import os\n" + native("one") + writing)
    (project / "codelocd.toml").write_text(
        '[location.defs]\npython_file = "defs.py"\nwatch = ["*.csv"]\n'
    )
    daemon = dev()
    daemon.until_printed("made.csv has changed during each of the last loads")
    daemon.until_serving("defs")
    before, loads = daemon.entry("defs")["generation"], (project / "loads").stat().st_size
    (project / "defs.py").write_text("import os\n" + native("one", "two") + writing)
    daemon.until("defs", lambda entry: serving(entry) and entry["generation"] > before)
    assert daemon.definitions() == ["asset one", "asset two"]
    (project / "made.csv").write_text("by hand, while nothing loads")
    daemon.until("defs", lambda entry: serving(entry) and entry["generation"] == before + 2)
    assert (project / "loads").stat().st_size == loads + 2, "one load for each save"


def test_a_file_saved_in_the_middle_of_a_slow_import_is_not_lost(
    dev: StartDev, project: Path
) -> None:
    (project / "helper.py").write_text("NAMES = ['old']\n")
    gate = project / "gate"
    os.mkfifo(gate)
    slow = (
        "import os, helper\n"
        "from codeloc import Definitions, asset\n"
        "if os.path.exists('slow'): open('gate').read()\n"
        "@asset(name=helper.NAMES[0])\n"
        "def it(): ...\n"
        "defs = Definitions(assets=[it])\n"
    )
    (project / "defs.py").write_text(slow)
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (project / "slow").touch()
    (project / "defs.py").write_text(slow + "# saved\n")
    with gate.open("w"):
        (project / "slow").unlink()
        (project / "helper.py").write_text("NAMES = ['new']\n")
    daemon.until("defs", lambda entry: serving(entry) and entry["generation"] > 1)
    assert daemon.definitions() == ["asset new"]


def test_a_save_in_the_same_second_of_the_same_size_loads_the_new_code(
    dev: StartDev, project: Path
) -> None:
    defs = project / "defs.py"
    defs.write_text(native("aaa"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    stamp = defs.stat().st_mtime_ns
    defs.write_text(native("bbb"))
    os.utime(defs, ns=(stamp, stamp - stamp % 10**9 + 1))
    daemon.until("defs", lambda entry: serving(entry) and entry["generation"] > 1)
    assert daemon.definitions() == ["asset bbb"]
    assert not list(project.glob("**/__pycache__"))


def test_promise_20_a_checkout_of_2000_files_ends_in_exactly_one_takeover(
    dev: StartDev, project: Path
) -> None:
    """By git, which has a lock meanwhile, and one file after the other without it."""
    package, names = big_project(project, 2000)
    git(project, "init", "-q", "-b", "main")
    for value in ("old", "new"):
        write_modules(package, names, value)
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", value)
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    git(project, "checkout", "-q", "HEAD~1")
    entry = daemon.until("defs", lambda e: serving(e) and e["generation"] > 1)
    assert entry["generation"] == 2
    assert daemon.definitions() == ["asset old"]
    write_modules(package, names, "newest")
    entry = daemon.until("defs", lambda e: serving(e) and e["generation"] > 2)
    assert entry["generation"] == 3
    assert daemon.definitions() == ["asset newest"]


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True)


def test_promise_20_200_files_saved_within_two_seconds_end_in_exactly_one_takeover(
    dev: StartDev, project: Path
) -> None:
    """Tried until the test itself was not held up: a pause of 150 ms ends a burst."""
    package, names = big_project(project, 200)
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    end = time.monotonic() + DEADLINE
    before = daemon.entry("defs")["generation"]
    for number in itertools.count(1):
        before, value = daemon.entry("defs")["generation"], f"new_{number}"
        times = [time.monotonic()]
        for name in names:
            write_modules(package, [name], value)
            time.sleep(0.008)  # as somebody who saves one after the other
            times.append(time.monotonic())
        while daemon.definitions() != [f"asset {value}"]:
            assert time.monotonic() < end
        was_steady = max(map(operator.sub, times[1:], times)) < 0.1
        if was_steady and times[-1] - times[0] < 2:
            break
        assert time.monotonic() < end, "the test was held up each time"
    assert daemon.until("defs", serving)["generation"] == before + 1


def test_promise_20_a_save_has_its_new_process_within_400_ms(dev: StartDev, project: Path) -> None:
    """Tried until the machine has the time for it: no pause of ours is in the way."""
    (project / "defs.py").write_text(native("a0"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    end, seconds = time.monotonic() + DEADLINE, [1.0]
    for number in itertools.count(1):
        (project / "defs.py").write_text(native(f"a{number}"))
        daemon.until("defs", partial(_is_generation, number + 1))
        timing = daemon.json("show", "defs")["timing"]
        seconds = [timing[part] for part in ("event", "decision", "start")]
        if sum(seconds) <= 0.4:
            break
        assert time.monotonic() < end, seconds


def _is_generation(number: int, entry: Entry) -> bool:
    return serving(entry) and entry["generation"] == number


def big_project(project: Path, count: int) -> tuple[Path, list[str]]:
    """A location that imports so many modules, and fails where their values differ."""
    package = project / "big"
    package.mkdir()
    names = [f"m{number}" for number in range(count)]
    write_modules(package, names, "old")
    (project / "defs.py").write_text(
        "import importlib\n"
        "from codeloc import Definitions, asset\n"
        f"modules = [importlib.import_module(f'big.m{{n}}') for n in range({count})]\n"
        "values = {module.VALUE for module in modules}\n"
        "assert len(values) == 1, values\n"
        "@asset(name=values.pop())\n"
        "def it(): ...\n"
        "defs = Definitions(assets=[it])\n"
    )
    return package, names


def write_modules(package: Path, names: list[str], value: str) -> None:
    for name in names:
        (package / f"{name}.py").write_text(f"VALUE = '{value}'\n")


def test_content_that_is_saved_unchanged_starts_nothing(dev: StartDev, project: Path) -> None:
    defs = project / "defs.py"
    defs.write_text(native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    defs.write_text(defs.read_text())
    defs.touch()
    defs.write_text(native("one", "two"))
    daemon.until("defs", lambda entry: serving(entry) and "two" in str(daemon.definitions()))
    assert daemon.entry("defs")["generation"] == 2


def test_a_module_that_appears_after_its_import_failed_repairs_the_location(
    dev: StartDev, project: Path
) -> None:
    (project / "defs.py").write_text("import later\n" + native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until("defs", failed)
    (project / "later.py").write_text("")
    daemon.until_serving("defs")


def test_a_shared_library_edited_beside_the_location_counts(
    dev: StartDev, project: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "shared_names.py").write_text("NAME = 'old'\n")
    (project / "defs.py").write_text(
        f"import sys; sys.path.insert(0, {str(library)!r})\n"
        "import shared_names\n"
        "from codeloc import Definitions, asset\n"
        "@asset(name=shared_names.NAME)\n"
        "def it(): ...\n"
        "defs = Definitions(assets=[it])\n"
    )
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    (library / "shared_names.py").write_text("NAME = 'new'\n")
    daemon.until("defs", lambda entry: serving(entry) and entry["generation"] == 2)
    assert daemon.definitions() == ["asset new"]


def test_files_under_watch_patterns_count(dev: StartDev, project: Path) -> None:
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nwatch = ["**/*.sql"]\n'
    )
    (project / "sql").mkdir()
    (project / "sql" / "one.sql").write_text("select 1")
    (project / "defs.py").write_text(
        "import pathlib\n"
        "from codeloc import Definitions, asset\n"
        "folder = pathlib.Path(__file__).parent / 'sql'\n"
        "def make(path):\n"
        "    @asset(name=path.stem)\n"
        "    def it(): ...\n"
        "    return it\n"
        "defs = Definitions(assets=[make(path) for path in sorted(folder.glob('*.sql'))])\n"
    )
    daemon = dev()
    daemon.until_serving("sales")
    (project / "sql" / "two.sql").write_text("select 2")
    daemon.until("sales", lambda entry: serving(entry) and entry["generation"] == 2)
    assert daemon.definitions() == ["asset one", "asset two"]


def test_manual_reload_waits_to_be_told(dev: StartDev, project: Path) -> None:
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nreload = "manual"\n'
        '[location.other]\npython_file = "other.py"\n'
    )
    (project / "defs.py").write_text(native("one"))
    (project / "other.py").write_text(native("x"))
    daemon = dev()
    daemon.until_serving("sales", "other")
    (project / "defs.py").write_text(native("one", "two"))
    (project / "other.py").write_text(native("x", "y"))
    daemon.until("other", lambda entry: entry["generation"] == 2)
    assert daemon.entry("sales")["generation"] == 1
    assert daemon.cli("reload", "sales").returncode == 0
    assert daemon.definitions("sales") == ["asset one", "asset two"]
    (project / "defs.py").write_text(native("one", "three"))
    (project / "other.py").write_text(native("x", "y", "z"))
    daemon.until("other", lambda entry: entry["generation"] == 3)
    config = project / "codelocd.toml"
    config.write_text(config.read_text().replace("manual", "on-change"))
    daemon.until("sales", lambda entry: serving(entry) and entry["generation"] == 3)
    assert daemon.definitions("sales") == ["asset one", "asset three"]


def test_a_saved_config_is_applied(dev: StartDev, project: Path) -> None:
    config = project / "codelocd.toml"
    config.write_text('[location.one]\npython_file = "defs.py"\n')
    (project / "defs.py").write_text(native("x"))
    daemon = dev()
    daemon.until_serving("one")
    config.write_text('[location.two]\npython_file = "defs.py"\n')
    daemon.until_serving("two")
    config.write_text("[location.three\n")
    daemon.until_printed("config not applied")
    assert daemon.definitions() == ["asset x"]
