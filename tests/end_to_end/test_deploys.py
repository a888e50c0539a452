"""Code that is put aside, loaded beside what serves, and taken back: `codelocd deploy`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codelocd.client import Client, RpcError
from codelocd.releases.folder_source import FolderSource, IgnoredPaths
from codelocd.releases.release_folder import ReleaseFolder
from tests import commands
from tests.end_to_end.daemons import CODELOCD, Service, Until, native, serving, wait_for

LOCATION = """
[location.{name}]
python_file = "{name}/sales.py"
working_directory = "{name}"
release_root = "{name}"
reload = "manual"
keep_releases = 3
"""


class DeployedService:
    """A service whose locations have their files in place, in a folder each."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.home, self.project = folder / "home", folder / "project"
        for each in (self.home, self.project):
            each.mkdir()
        self.names = names
        for name in names:
            (self.project / name).mkdir()
            (self.project / name / "sales.py").write_text(native("in_place"))
        self.config = "".join(LOCATION.format(name=name) for name in names)
        (self.project / "codelocd.toml").write_text(self.config)
        self.start()

    def start(self) -> None:
        (self.home / "notify").unlink(missing_ok=True)
        self.service = Service(self.project, self.home)
        self.service.told(b"READY")
        self.service.until_serving(*self.names)


class Site:
    """One location of it, and a folder to deploy from."""

    def __init__(self, deployed: DeployedService, name: str, source: Path) -> None:
        self.deployed, self.name, self.source = deployed, name, source
        self.place = deployed.project / name
        source.mkdir()

    @property
    def service(self) -> Service:
        return self.deployed.service

    def write(self, *assets: str, before: str = "") -> None:
        (self.source / "sales.py").write_text(native(*assets, before=before))

    def cli(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        given = (verb, self.name, *arguments)
        return commands.run(given, cwd=self.source, environ=self.service.environ)

    def deploy(self, *assets: str) -> dict[str, Any]:
        """Deploy a release that has these assets; the outcome."""
        self.write(*assets)
        return self.done("deploy", "--source", str(self.source))

    def done(self, verb: str, *arguments: str) -> dict[str, Any]:
        done = self.cli(verb, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def entry(self) -> dict[str, Any]:
        return self.service.entry(self.name)

    def until(self, holds: Until) -> dict[str, Any]:
        return self.service.until(self.name, holds)

    def ask(self, method: str, **params: Any) -> Any:
        with self.service.client() as client:
            return client.call(method, params)

    def known(self) -> dict[str, Any]:
        (found,) = self.ask("releases", locations=[self.name])["locations"]
        known: dict[str, Any] = found
        return known

    def states(self) -> dict[str, str]:
        return {each["id"]: each["state"] for each in self.known()["releases"]}

    def assets(self) -> list[str]:
        found = self.ask("definitions", locations=[self.name])["definitions"]
        return [each["name"] for each in found]

    def folder(self) -> Path:
        return self.deployed.home / "state/releases" / self.name


NAMES = [f"sales-{number}" for number in range(14)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DeployedService, list[str]]]:
    deployed = DeployedService(tmp_path_factory.mktemp("deploys"), NAMES)
    yield deployed, list(NAMES)
    deployed.service.stop()


@pytest.fixture
def site(shared: tuple[DeployedService, list[str]], tmp_path: Path) -> Site:
    """A location that no other test uses."""
    deployed, unused = shared
    return Site(deployed, unused.pop(), tmp_path / "source")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """One of a service of its own."""
    deployed = DeployedService(tmp_path, ["sales"])
    yield Site(deployed, "sales", tmp_path / "source")
    deployed.service.stop()


def test_a_release_serves_whatever_becomes_of_the_files_it_came_from(site: Site) -> None:
    found = site.deploy("first")
    assert (found["ok"], found["former"], site.assets()) == (True, None, ["first"])
    shutil.rmtree(site.source)
    site.source.mkdir()
    (site.place / "sales.py").write_text(native("other"))
    for order in ("reload", "restart"):
        site.ask(order, locations=[site.name])
    shown = site.ask("show", location=site.name)
    assert site.assets() == ["first"]
    assert shown["release"] == found["release"]
    tree = site.folder() / found["release"] / "tree"
    assert shown["working_directory"] == str(tree)
    assert shown["definitions"][0]["source"]["file"] == str(tree / "sales.py")


def test_what_is_current_outlives_the_daemon_however_it_ends(own: Site) -> None:
    release = own.deploy("first")["release"]
    pid = own.entry()["pid"]
    own.service.process.kill()
    own.service.process.communicate()
    own.deployed.start()
    entry = own.entry()
    assert (entry["pid"], entry["release"], entry["generation"]) == (pid, release, 2), "adopted"
    own.service.stop()
    own.deployed.start()
    assert (own.assets(), own.entry()["release"]) == (["first"], release)


def test_what_does_not_load_leaves_what_serves_untouched(site: Site) -> None:
    release = site.deploy("first")["release"]
    before = site.entry()
    site.write("second", before="1 / 0")
    done = site.cli("deploy", "--source", ".")
    assert done.returncode == 1
    assert f"deploy failed for {site.name}, what served before goes on" in done.stderr
    assert "ZeroDivisionError" in done.stdout
    assert "1 / 0" in done.stdout, "with the traceback, which nothing else shows"
    after = site.entry()
    same = ("pid", "generation", "release", "stale", "problem", "reloading")
    assert [after[name] for name in same] == [before[name] for name in same]
    states = site.states()
    assert sorted(states.values()) == ["current", "failed"]
    assert states[release] == "current"
    os.kill(after["pid"], signal.SIGKILL)
    restarted = site.until(lambda each: serving(each) and each["generation"] == 3)
    assert (restarted["release"], site.assets()) == (release, ["first"])
    events = site.ask("events", locations=[site.name], lines=50)["events"]
    told = [(each["event"], each["by"]) for each in events]
    assert ("deploy-failed", "deploy") in told


def test_a_rollback_goes_back_one_release_at_a_time(site: Site) -> None:
    first, second, third = (site.deploy(name)["release"] for name in ("one", "two", "three"))
    for expected, name in ((second, "two"), (first, "one")):
        assert site.done("rollback")["release"] == expected
        assert site.assets() == [name]
    refused = site.cli("rollback")
    assert refused.returncode == 2
    assert "--in-place" in refused.stderr
    assert site.done("rollback", third[:6])["release"] == third
    assert site.cli("rollback", "0000").returncode == 4
    assert third[:12] in site.cli("status").stdout
    assert site.done("deploy", "--in-place")["former"] == third
    assert "RELEASE" not in site.cli("status").stdout
    assert (site.assets(), site.entry()["release"]) == (["in_place"], None)
    assert site.done("rollback")["release"] == third
    typed = {"_CODELOCD_COMPLETE": "bash_complete", "CODELOCD_BREAKS": " :="}
    typed["CODELOCD_TYPED"] = f"codelocd rollback {site.name} {third[:5]}"
    environ = site.service.environ | typed
    offered = commands.run([], cwd=site.source, environ=environ).stdout
    assert third[:12] in offered
    table = site.cli("releases").stdout
    assert third[:12] in table
    assert "current" in table


def test_only_some_releases_are_kept(site: Site) -> None:
    outcomes = [site.deploy(f"asset_{number}") for number in range(5)]
    kept = [each["release"] for each in outcomes[2:]]
    assert sorted(site.states()) == sorted(kept)
    assert outcomes[-1]["removed"] == [outcomes[1]["release"]]
    there = {path.name for path in site.folder().iterdir()} - {"current", "index.json"}
    assert there == set(kept)


def test_a_commit_is_deployed_without_what_is_only_on_disk(site: Site) -> None:
    site.write("committed")
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=site.source, check=True)
    site.write("saved")
    site.done("deploy", "--git-ref", "main")
    assert site.assets() == ["committed"]
    (found,) = site.known()["releases"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=site.source, capture_output=True)
    assert found["source"]["commit"] == head.stdout.decode().strip()
    assert found["source"]["ref"] == "main"
    assert site.cli("deploy", "--git-ref", "nope").returncode == 1


def test_a_dry_run_says_what_differs_and_puts_nothing_aside(site: Site) -> None:
    site.deploy("first")
    (site.source / "more.py").write_text("x = 1\n")
    done = site.cli("deploy", "--source", ".", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["+ more.py"]
    assert len(site.states()) == 1


def test_a_tree_that_is_not_the_locations_is_refused_before_it_is_loaded(site: Site) -> None:
    (site.source / "other.py").write_text("")
    done = site.cli("deploy", "--source", ".")
    assert done.returncode == 2
    assert f"the tree has no sales.py, which location '{site.name}' needs" in done.stderr
    assert str(site.place) in done.stderr
    for arguments in ([], ["--in-place", "--git-ref", "x"], ["--in-place", "--dry-run"]):
        assert site.cli("deploy", *arguments).returncode == 2
    site.name = "slaes"
    assert site.cli("deploy", "--source", ".").returncode == 4
    assert not site.folder().exists()


def test_a_stopped_location_is_to_be_started_first(site: Site) -> None:
    site.cli("stop")
    site.write("first")
    done = site.cli("deploy", "--source", ".")
    assert done.returncode == 2
    assert f"stopped, so `start` first: {site.name}" in done.stderr
    assert "are new" not in done.stderr, "nothing was sent"


WAITS = """
import pathlib, time
here = pathlib.Path({gate!r})
here.with_suffix(".began").touch()
while not here.exists():
    time.sleep(0.01)
"""


def test_of_two_deploys_at_once_the_second_is_refused(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    site.write("first", before=WAITS.format(gate=str(gate)))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(site.done, "deploy", "--source", ".")
        wait_for(gate.with_suffix(".began").exists)
        second = site.cli("deploy", "--source", ".")
        back = site.cli("rollback")
        gate.touch()
        assert first.result()["ok"]
    assert (second.returncode, back.returncode) == (1, 2)
    assert f"another deploy of '{site.name}' is under way" in second.stderr


def test_a_stop_during_a_deploy_calls_it_off(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    current = site.deploy("first")["release"]
    site.write("second", before=WAITS.format(gate=str(gate)))
    with ThreadPoolExecutor(1) as pool:
        deploying = pool.submit(site.cli, "deploy", "--source", ".")
        wait_for(gate.with_suffix(".began").exists)
        assert site.cli("stop").returncode == 0
        done = deploying.result()
    assert done.returncode == 1
    assert "another order, stop, came after this one" in done.stdout
    assert site.known()["current"] == current
    assert "failed" not in site.states().values()
    assert site.cli("start").returncode == 0
    assert site.assets() == ["first"]


def test_a_client_that_is_gone_does_not_call_a_deploy_off(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    site.write("first", before=WAITS.format(gate=str(gate)))
    command = [str(CODELOCD), "deploy", site.name, "--source", "."]
    client = subprocess.Popen(command, cwd=site.source, env=site.service.environ)
    wait_for(gate.with_suffix(".began").exists)
    client.kill()
    client.wait()
    gate.touch()
    site.until(lambda each: serving(each) and each["release"] is not None)
    wait_for(lambda: site.known()["current"] is not None)
    assert site.assets() == ["first"]


def test_a_change_of_the_config_moves_into_the_release(own: Site) -> None:
    release = own.deploy("first")["release"]
    file = own.deployed.project / "codelocd.toml"
    text = f'{own.deployed.config}env = {{ REGION = "eu" }}\nstop_timeout = "3s"\n'
    file.write_text(text)
    own.ask("apply")
    entry = own.until(lambda each: serving(each) and each["generation"] == 3)
    assert (entry["release"], own.assets()) == (release, ["first"])
    file.write_text(f"{text}ping_interval = '20s'\n")
    plan = own.ask("apply", dry_run=True)
    assert (plan["reloaded"], plan["adjusted"]) == ([], ["sales"])


def test_a_release_that_was_damaged_is_not_loaded(site: Site) -> None:
    first = site.deploy("first")["release"]
    site.deploy("second")
    damaged = site.folder() / first / "tree/sales.py"
    damaged.chmod(0o600)
    damaged.write_text(native("evil"))
    done = site.cli("rollback")
    assert done.returncode == 1
    assert "sales.py was changed since it was put aside" in done.stdout
    assert site.assets() == ["second"]
    assert site.deploy("first")["release"] == first
    assert site.assets() == ["first"]
    (site.folder() / first / ".codelocd-release").unlink()
    site.write("first")
    done = site.cli("deploy", "--source", ".")
    assert done.returncode == 1
    assert "roll back first, then deploy it again" in done.stderr
    assert site.deploy("third")["former"] == first


def test_half_of_a_copy_ends_with_its_client(site: Site) -> None:
    site.write("first")
    source = FolderSource(site.source, IgnoredPaths())
    with site.service.client() as client:
        number, digest = begun(client, site.name, source)
        contents = [[digest, b"fr", True]]
        client.call("release_content", {"upload": number, "contents": contents})
        with site.service.client() as other, pytest.raises(RpcError, match="no such upload"):
            other.call("deploy", {"location": site.name, "upload": number})
        assert [path.name[:10] for path in site.folder().iterdir()] == [".incoming-"]
    wait_for(lambda: not list(site.folder().iterdir()))
    with site.service.client() as client:
        number, digest = begun(client, site.name, source)
        with pytest.raises(RpcError, match="1 contents of the release have not been sent"):
            client.call("deploy", {"location": site.name, "upload": number})
        wait_for(lambda: not list(site.folder().iterdir()))
    assert site.deploy("first")["ok"]


def begun(client: Client, name: str, source: FolderSource) -> tuple[int, str]:
    params = {"location": name, "manifest": source.manifest.encoded}
    found = client.call("release_upload", params)
    return found["upload"], found["missing"][0]


def test_ten_deploys_and_two_rollbacks_fail_no_call(site: Site) -> None:
    """The figure at 100 calls a second is in benchmarks; this one calls as fast as it can."""
    with Calling(site) as calls:
        for number in range(10):
            site.deploy(f"asset_{number}")
        for _ in range(2):
            site.done("rollback")
    assert calls.failed == []
    assert len(calls.generations) == 13
    assert calls.generations == sorted(calls.generations)


class Calling:
    """Calls `describe` all the time; which generations answered, in order, and what failed."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.generations: list[int] = []
        self.failed: list[str] = []

    def _call(self) -> None:
        asked = {"location": self._site.name, "method": "describe"}
        with self._site.service.client() as client:
            while not self._ended.is_set():
                try:
                    found = client.call("call", asked)
                except RpcError as error:
                    self.failed.append(str(error))
                    continue
                if found["generation"] not in self.generations[-1:]:
                    self.generations.append(found["generation"])

    def __enter__(self) -> Calling:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()


MOMENTS = 20
"""At which a copy is interrupted, spread over the time that one takes."""


def fill(site: Site, seed: int) -> None:
    """A tree of some hundred files, each another one than in the last; what it defines, too."""
    site.write(f"asset_{seed}")
    for number in range(300):
        path = site.source / f"pkg{number % 10}" / f"m{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"x = {seed * 1000 + number}\n" * (number + 1))


def whole_or_not_there(site: Site) -> None:
    """Whatever was killed: each release is what its name says, and what serves is one of them."""
    releases = ReleaseFolder(site.folder())
    for release in releases.ids():
        releases.verify(release)
    site.until(serving)
    found = wait_for(lambda: site.entry()["release"] == site.known()["current"] and site.entry())
    assert found["problem"] is None
    assert site.states()[found["release"]] == "current"


def interrupted(site: Site, moment: int, whole: float) -> subprocess.Popen[bytes]:
    """A deploy that has had a part of the time that it takes; the process that sends it."""
    fill(site, moment + 2)
    command = [str(CODELOCD), "deploy", site.name, "--source", "."]
    client = subprocess.Popen(
        command, cwd=site.source, env=site.service.environ, stderr=subprocess.DEVNULL
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        client.wait(whole * moment / MOMENTS)
    return client


def timed(site: Site) -> float:
    """Seconds that a deploy takes here."""
    fill(site, 1)
    began = time.monotonic()
    command = [str(CODELOCD), "deploy", site.name, "--source", "."]
    subprocess.run(command, cwd=site.source, env=site.service.environ, check=True)
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_client_that_is_killed_at_any_moment_leaves_no_half_of_a_release(own: Site) -> None:
    whole = timed(own)
    for moment in range(MOMENTS + 1):
        client = interrupted(own, moment, whole)
        client.kill()
        client.wait()
        wait_for(lambda: not list(own.folder().glob(".incoming-*")))
        whole_or_not_there(own)
    assert own.deploy("last")["ok"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_daemon_that_is_killed_at_any_moment_leaves_no_half_of_a_release(own: Site) -> None:
    whole = timed(own)
    for moment in range(MOMENTS + 1):
        client = interrupted(own, moment, whole)
        own.service.process.kill()
        own.service.process.communicate()
        client.wait()
        own.deployed.start()
        assert not list(own.folder().glob(".*"))
        whole_or_not_there(own)
    assert own.deploy("last")["ok"]
