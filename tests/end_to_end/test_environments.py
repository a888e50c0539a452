"""Environments of a running daemon: built beside, swapped, shared, and never looped over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codelocd.client import Client
from tests.end_to_end.daemons import Dev, Entry, StartDev, failed, native, serving, stale, wait_for

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
CALLS_A_SECOND = 100
Wheel = Callable[[str, str], Path]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:
    """Adds a package with one module; nothing else can be installed."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "file:///nonexistent")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))

    def make(name: str, version: str) -> Path:
        target, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return target

    return make


@pytest.fixture
def shop(project: Path, tmp_path: Path, asked_pythons: Path) -> Path:
    """A location that needs what `requirements.txt` says, with a store of its own."""
    cache = tmp_path / "store" / "cache"
    cache.mkdir(parents=True)
    shutil.copy(asked_pythons, cache)
    (project / "codelocd.toml").write_text(
        f'[daemon]\nstore = "{tmp_path / "store"}"\n'
        '[location.shop]\npython_file = "shop.py"\n'
        f'[location.shop.environment]\npython = "{VERSION}"\nrequirements = ["requirements.txt"]\n'
    )
    (project / "shop.py").write_text(
        "import alpha\nfrom codeloc import Definitions, asset\n"
        "@asset(name='v' + alpha.VERSION.replace('.', '_'))\ndef it(): ...\n"
        "defs = Definitions(assets=[it])\n"
    )
    return project


def need(shop: Path, text: str) -> None:
    (shop / "requirements.txt").write_text(text)


def events(daemon: Dev) -> list[dict[str, Any]]:
    with daemon.client() as client:
        found: list[dict[str, Any]] = client.call("events", {"lines": 1000})["events"]
    return found


def generation(number: int) -> Callable[[Entry], bool]:
    return lambda entry: serving(entry) and entry["generation"] == number


def test_a_broken_requirement_is_built_once_and_again_when_it_changes(
    dev: StartDev, shop: Path, wheel: Wheel
) -> None:
    wheel("alpha", "1.0")
    need(shop, "alpha==1.0\n")
    daemon = dev()
    daemon.until_serving("shop")
    need(shop, "alpha==9.9\n")
    entry = daemon.until("shop", stale)
    assert entry["problem"]["kind"] == "environment"
    assert entry["problem"]["summary"] == (
        "no version of alpha fits alpha==9.9; change the requirement"
    )
    assert "error: No solution found" in entry["problem"]["detail"]
    assert daemon.definitions() == ["asset v1_0"]
    failures = [each for each in events(daemon) if each["event"] == "environment-failed"]
    assert len(failures) == 1
    wheel("alpha", "2.0")
    need(shop, "alpha==2.0\n")
    entry = daemon.until("shop", generation(2))
    assert (entry["problem"], daemon.definitions()) == (None, ["asset v2_0"])
    assert len([e for e in events(daemon) if e["event"] == "environment-failed"]) == 1


def test_an_environment_that_somebody_changed_is_named_and_replaced(
    dev: StartDev, shop: Path, wheel: Wheel
) -> None:
    wheel("alpha", "1.0")
    stranger = wheel("stranger", "3.0")
    need(shop, "alpha\n")
    daemon = dev()
    daemon.until_serving("shop")
    before = daemon.entry("shop")["environment"]
    pip = [sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*pip, "--python", before["executable"], stranger], check=True)
    source = shop / "shop.py"
    source.write_text(source.read_text() + "# saved\n")
    entry = daemon.until("shop", generation(2))
    assert entry["environment"]["key"] == before["key"]
    assert entry["environment"]["path"] != before["path"]
    (told,) = [each for each in events(daemon) if each["event"] == "environment-replaced"]
    assert told["detail"].endswith("its packages were changed by someone else: + stranger==3.0")


def test_while_a_requirement_changes_not_one_call_fails(
    dev: StartDev, shop: Path, wheel: Wheel
) -> None:
    wheel("alpha", "1.0")
    wheel("alpha", "2.0")
    need(shop, "alpha==1.0\n")
    daemon = dev()
    daemon.until_serving("shop")
    with Load(daemon) as answers:
        need(shop, "alpha==2.0\n")
        daemon.until("shop", generation(2))
        seen = len(answers)
        wait_for(lambda: len(answers) > seen + CALLS_A_SECOND // 2)
    assert [each for each in answers if isinstance(each, Exception)] == []
    served = [answer["generation"] for answer in answers]
    assert served == sorted(served)
    assert set(served) == {1, 2}
    assert daemon.definitions() == ["asset v2_0"]


def test_ten_locations_of_two_daemons_with_the_same_needs_cause_one_build(
    tmp_path: Path, wheel: Wheel
) -> None:
    wheel("alpha", "1.0")
    daemons, names = [], [f"shop{number}" for number in range(5)]
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write_ten(folder, tmp_path / "store", count=len(names))
        daemons.append(Dev(folder, tmp_path / f"home-{name}", ()))
    try:
        for daemon in daemons:
            daemon.until_serving(*names)
        built = [e["environment"] for daemon in daemons for e in daemon.status()["locations"]]
    finally:
        for daemon in daemons:
            daemon.stop()
    assert len({each["path"] for each in built}) == 1
    assert sorted(each["origin"] for each in built) == ["built", *["reused"] * 9]
    assert len(list((tmp_path / "store/environments").iterdir())) == 1


def dev_of_ten(dev: StartDev, project: Path, tmp_path: Path) -> Dev:
    write_ten(project, tmp_path / "store", count=10)
    daemon = dev()
    daemon.until_serving(*(f"shop{number}" for number in range(10)))
    return daemon


def write_ten(project: Path, store: Path, count: int) -> None:
    (project / "shop.py").write_text(native("one", before="import alpha"))
    table = (
        '[location.shop{0}]\npython_file = "shop.py"\n'
        '[location.shop{0}.environment]\npython = "{1}"\npackages = ["alpha"]\n'
    )
    (project / "codelocd.toml").write_text(
        f'[daemon]\nstore = "{store}"\n'
        + "".join(table.format(number, VERSION) for number in range(count))
    )


class Load:
    """Asks the location for its definition, a hundred times a second, and keeps every answer."""

    def __init__(self, daemon: Dev) -> None:
        self.answers: list[Any] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(daemon.socket,))

    def __enter__(self) -> list[Any]:
        self._thread.start()
        wait_for(lambda: bool(self.answers))
        return self.answers

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self, socket: str) -> None:
        with Client(socket) as client:
            for moment in ticks(1 / CALLS_A_SECOND):
                if self._ended.wait(max(0.0, moment - time.monotonic())):
                    return
                try:
                    self.answers.append(client.call("call", CALL))
                except Exception as failure:
                    self.answers.append(failure)


CALL = {"location": "shop", "method": "describe"}


def ticks(pause: float) -> Iterator[float]:
    moment = time.monotonic()
    while True:
        yield moment
        moment += pause


COLOUR = """\
import os, sys
from codeloc import Definitions, asset

@asset(name=os.environ.get("COLOUR", "none"), group=f"v{sys.version_info.minor}")
def colour(): ...

try:
    import alpha
    packages = [asset(name="alpha_" + alpha.VERSION[0])(lambda: None)]
except ImportError:
    packages = []
defs = Definitions(assets=[colour, *packages])
"""


def until_defined(daemon: Dev, *names: str) -> None:
    """Waits until these are the assets, whatever was served between."""
    wanted = sorted(f"asset {name}" for name in names)
    with daemon.client() as client:
        for _ in client.subscribe(["status", "definitions"]):
            if sorted(daemon.definitions()) == wanted:
                return


def test_what_was_looked_for_in_vain_counts_as_soon_as_it_comes(
    dev: StartDev, project: Path, wheel: Wheel
) -> None:
    wheel("alpha", "1.0")
    wheel("alpha", "2.0")
    (project / ".git").mkdir()
    folder = project / "etl"
    folder.mkdir()
    (folder / "defs.py").write_text(COLOUR)
    daemon = dev("-f", "etl/defs.py", "--python", VERSION)
    until_defined(daemon, "none")

    (project / ".env").write_text("COLOUR=red\n")
    until_defined(daemon, "red")
    (project / ".env").rename(project / ".env~")
    until_defined(daemon, "none")
    (project / ".new").write_text("COLOUR=blue\n")
    (project / ".new").rename(project / ".env")
    until_defined(daemon, "blue")

    (project / "requirements.txt").write_text("alpha==1.0\n")
    until_defined(daemon, "alpha_1", "blue")
    (folder / "requirements.txt").write_text("alpha==2.0\n")
    until_defined(daemon, "alpha_2", "blue")
    (folder / "requirements.txt").unlink()
    until_defined(daemon, "alpha_1", "blue")
    (folder / "defs.py").write_text(
        f'# /// script\n# dependencies = ["alpha==2.0"]\n# ///\n{COLOUR}'
    )
    until_defined(daemon, "alpha_2", "blue")
    (folder / "defs.py").write_text(COLOUR)
    until_defined(daemon, "alpha_1", "blue")

    subprocess.run(
        [sys.executable, "-m", "virtualenv", "-q", "--no-seed", str(project / "made")], check=True
    )
    (project / "made").rename(project / ".venv")
    until_defined(daemon, "blue")
    assert daemon.entry("defs")["environment"]["origin"] == "existing"
    (project / ".venv").rename(project / "aside")
    until_defined(daemon, "alpha_1", "blue")


@pytest.mark.parametrize("place", ["later.py", "later/__init__.py"])
def test_what_is_installed_after_its_import_failed_repairs_the_location(
    dev: StartDev, project: Path, place: str
) -> None:
    made = project / ".venv"
    subprocess.run([sys.executable, "-m", "virtualenv", "-q", "--no-seed", str(made)], check=True)
    [site] = made.glob("lib/python3*/site-packages")
    (project / "defs.py").write_text("import later\n" + native("one"))
    daemon = dev("-f", "defs.py")
    daemon.until("defs", failed)
    (site / place).parent.mkdir(exist_ok=True)
    (site / place).write_text("")
    daemon.until_serving("defs")


def test_a_file_that_a_variable_names_is_watched(
    dev: StartDev, project: Path, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("alpha", "1.0")
    wheel("alpha", "2.0")
    (project / "pins.txt").write_text("alpha==1.0\n")
    (project / "requirements.txt").write_text("alpha\n")
    (project / "defs.py").write_text(COLOUR)
    monkeypatch.setenv("UV_CONSTRAINT", "pins.txt")
    daemon = dev("-f", "defs.py", "--python", VERSION)
    until_defined(daemon, "alpha_1", "none")
    (project / "pins.txt").write_text("alpha==2.0\n")
    until_defined(daemon, "alpha_2", "none")


def test_a_release_brings_its_environment_and_a_rollback_goes_back_to_both(
    shop: Path, dev: StartDev, wheel: Wheel, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0", "3.0"):
        wheel("alpha", version)
    need(shop, "alpha==1.0")
    daemon = dev()
    daemon.until("shop", serving)
    source = tmp_path / "source"
    shutil.copytree(shop, source)
    keys = []
    for version in ("2.0", "3.0"):
        need(source, f"alpha=={version}")
        done = daemon.cli("deploy", "shop", "--source", str(source))
        assert done.returncode == 0, done.stderr
        assert daemon.definitions("shop") == [f"asset v{version.replace('.', '_')}"]
        keys.append(daemon.entry("shop")["environment"]["key"])
    need(source, "alpha==9.0")
    done = daemon.cli("deploy", "shop", "--source", str(source))
    assert done.returncode == 1
    assert "environment" in done.stdout
    assert daemon.definitions("shop") == ["asset v3_0"]
    assert daemon.cli("rollback", "shop").returncode == 0
    entry = daemon.entry("shop")
    assert (daemon.definitions("shop"), entry["environment"]["key"]) == (["asset v2_0"], keys[0])
    assert daemon.cli("deploy", "shop", "--in-place").returncode == 0
    assert daemon.definitions("shop") == ["asset v1_0"]
    (shop / "shop.py").write_text(native("saved"))
    daemon.until("shop", lambda each: serving(each) and each["definitions"]["asset"] == 1)
    wait_for(lambda: daemon.definitions("shop") == ["asset saved"])
