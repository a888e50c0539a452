"""A store is whole for every process, whatever happened to builders and collectors."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codeloc_envs import Choice, Environment, EnvironmentProblem, Request, Store, choose
from codeloc_envs.store.lease import hold, try_hold
from codeloc_envs.store.records import package_sizes

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
Project = Callable[..., Path]
Start = Callable[[Choice], subprocess.Popen[str]]


@pytest.fixture
def start(store_root: Path) -> Iterator[Start]:
    """Starts a builder in a process group of its own, as the daemon does."""
    started = []

    def run(choice: Choice) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, "-m", "codeloc_envs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(worker)
        assert worker.stdin is not None
        question = {"store": str(store_root), "specification": choice.specification.to_json()}
        with worker.stdin as stdin:
            stdin.write(json.dumps(question))
        return worker

    yield run
    for worker in started:
        kill(worker, store_root)
        assert worker.stdout is not None
        worker.stdout.close()


def kill(worker: subprocess.Popen[str], store_root: Path) -> None:
    """As the daemon ends a build: the whole group at once. Waits until all of it let go."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    for path in (store_root / "leases").glob("*"):
        hold(path).close()


def messages(worker: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert worker.stdout is not None
    for line in worker.stdout:
        yield json.loads(line)


def until(worker: subprocess.Popen[str], phase: str) -> None:
    for message in messages(worker):
        if message.get("progress", {}).get("phase") == phase:
            return
    raise AssertionError(f"the builder ended before {phase}")


def result(worker: subprocess.Popen[str]) -> dict[str, Any]:
    *_, last = messages(worker)
    assert "progress" not in last, "the builder ended without a result"
    return last


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "environments").iterdir())


@pytest.fixture
def slow(workplace: Path, wheels: Path, project: Project) -> Choice:
    """A project whose build says in the file `began` that it runs, and ends when `go` is there."""
    wait = (
        f"open({str(workplace / 'began')!r}, 'a').write('x')\n"
        f"    while not os.path.exists({str(workplace / 'go')!r}): __import__('time').sleep(0.01)"
    )
    return choose(None, code=project(workplace / "app", "app", trouble=wait))


def test_of_two_builders_of_one_environment_one_builds_and_the_other_reuses(
    start: Start, slow: Choice, workplace: Path, store_root: Path
) -> None:
    first = start(slow)
    until(first, "building")
    second = start(slow)
    until(second, "waiting")
    (workplace / "go").touch()
    results = [result(first)["environment"], result(second)["environment"]]
    assert [each["origin"] for each in results] == ["built", "reused"]
    assert results[0]["path"] == results[1]["path"]
    assert len(folders(store_root)) == 1
    assert (workplace / "began").read_text() == "x"


def test_ten_at_once_make_one_environment(
    start: Start, wheel: Wheel, workplace: Path, store_root: Path
) -> None:
    wheel("alpha")
    choice = choose(Request(packages=("alpha",)), code=workplace)
    results = [result(worker)["environment"] for worker in [start(choice) for _ in range(10)]]
    assert sorted(each["origin"] for each in results) == ["built", *["reused"] * 9]
    assert len({each["path"] for each in results}) == 1
    assert len(folders(store_root)) == 1


@pytest.mark.parametrize("phase", ["resolving", "creating", "installing", "building"])
def test_a_builder_killed_at_any_moment_leaves_nothing_that_is_found(
    start: Start, slow: Choice, store: Store, store_root: Path, workplace: Path, phase: str
) -> None:
    worker = start(slow)
    until(worker, phase)
    kill(worker, store_root)
    assert store.find(slow.specification) is None
    assert store.list() == []
    (workplace / "go").touch()
    environment = store.build(slow.specification, lambda _: None)
    assert environment.origin == "built"
    assert folders(store_root) == [environment.lease_name]
    done = subprocess.run([environment.executable, "-c", "import app"], check=False)
    assert done.returncode == 0


def test_remains_are_not_taken_from_under_an_installer_that_still_works(
    start: Start, slow: Choice, store: Store, store_root: Path
) -> None:
    worker = start(slow)
    until(worker, "building")
    worker.kill()
    worker.wait()
    store.prune(idle=0)
    assert len(folders(store_root)) == 1
    kill(worker, store_root)
    store.prune(idle=0)
    assert folders(store_root) == []


def test_the_package_cache_is_not_cleaned_while_somebody_builds(
    start: Start, slow: Choice, store_root: Path, workplace: Path
) -> None:
    worker = start(slow)
    until(worker, "building")
    cache = store_root / "locks/packages.lock"
    assert try_hold(cache) is None
    (workplace / "go").touch()
    assert result(worker)["environment"]["origin"] == "built"
    lease = try_hold(cache)
    assert lease is not None
    lease.close()


def test_remains_of_a_killed_collector_go_with_the_next(store: Store, build: Build) -> None:
    environment = build()
    assert environment.path is not None
    store_root = environment.path.parents[1]
    (store_root / "trash/half-removed").mkdir()
    orphan = store_root / "leases/orphan-00000000.lock"
    orphan.touch()
    build()
    assert not (store_root / "trash/half-removed").exists()
    assert not orphan.exists()
    assert environment.path.is_dir()


def test_a_lease_keeps_an_environment_whatever_its_age(store: Store, build: Build) -> None:
    environment = build()
    with store.lease(environment):
        assert store.prune(idle=0).keys == ()
        assert environment.executable.exists()
    assert store.prune(idle=0).keys == (environment.key,)
    assert environment.path is not None
    assert not environment.path.exists()
    assert store.list() == []


def test_a_child_that_inherits_a_lease_holds_it(store: Store, build: Build) -> None:
    environment = build()
    lease = store.lease(environment)
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lease.fileno()]
    )
    lease.close()
    assert store.prune(idle=0).keys == ()
    child.communicate(b"\n")
    assert store.prune(idle=0).keys == (environment.key,)


def test_an_environment_that_was_just_removed_gives_no_lease(store: Store, build: Build) -> None:
    environment = build()
    store.prune(idle=0)
    with pytest.raises(EnvironmentProblem, match="was removed from the store; build it again"):
        store.lease(environment)


def test_what_was_used_lately_stays(store: Store, build: Build) -> None:
    build()
    assert store.prune(idle=3600).keys == ()


def test_above_the_size_the_longest_unused_go_first(
    store: Store, build: Build, wheel: Wheel
) -> None:
    wheel("alpha")
    old, new = build(), build(Request(packages=("alpha",)))
    for age, environment in ((100, old), (50, new)):
        assert environment.path is not None
        lease = environment.path.parents[1] / "leases" / f"{environment.lease_name}.lock"
        used = lease.stat().st_mtime - age
        os.utime(lease, (used, used))
    sizes = {each["key"]: each["size"] - each["shared"] for each in store.list()}
    assert store.prune(size=sizes[new.key]).keys == (old.key,)
    assert store.prune(size=sizes[new.key]).keys == ()


def test_looking_and_collecting_are_no_use(store: Store, build: Build) -> None:
    build()
    before = store.list()
    store.prune()
    assert store.list() == before


def test_a_package_installed_by_someone_else_is_noticed_and_a_fresh_one_built(
    store: Store, build: Build, wheel: Wheel, workplace: Path
) -> None:
    wheel("alpha")
    drifted = build(Request(packages=("alpha",)))
    assert drifted.path is not None
    site = next(drifted.path.glob("lib/*/site-packages"))
    (site / "stranger-1.0.dist-info").mkdir()
    choice = choose(Request(packages=("alpha",)), code=workplace)
    assert store.find(choice.specification) is None
    fresh = build(Request(packages=("alpha",)))
    assert (fresh.origin, fresh.key) == ("built", drifted.key)
    assert fresh.path != drifted.path
    build()
    assert not drifted.path.exists()


def test_importing_is_no_drift(build: Build, wheel: Wheel) -> None:
    wheel("alpha")
    environment = build(Request(packages=("alpha",)))
    subprocess.run([environment.executable, "-c", "import alpha"], check=True)
    assert build(Request(packages=("alpha",))).origin == "reused"


@pytest.mark.parametrize("victim", ["bin/python", "."])
def test_an_environment_that_lost_its_python_or_its_folder_is_built_again(
    build: Build, victim: str
) -> None:
    environment = build()
    assert environment.path is not None
    if victim == ".":
        environment.path.rename(environment.path.parents[2] / "gone")
    else:
        environment.executable.unlink()
    again = build()
    assert again.origin == "built"
    assert again.executable.exists()


def test_looking_starts_no_process_and_imports_no_virtualenv(
    build: Build, wheel: Wheel, workplace: Path, store_root: Path
) -> None:
    wheel("alpha")
    build(Request(packages=("alpha",)))
    code = (
        "import sys, subprocess; from pathlib import Path\n"
        "from codeloc_envs import Request, Store, choose\n"
        "subprocess.Popen = None\n"
        f"choice = choose(Request(packages=('alpha',)), code=Path({str(workplace)!r}))\n"
        f"print(Store(Path({str(store_root)!r})).find(choice.specification).origin)\n"
        "assert 'virtualenv' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "reused\n"


def test_asking_for_a_request_alone_imports_next_to_nothing() -> None:
    code = (
        "import sys, codeloc_envs; codeloc_envs.Request\n"
        "print(sorted(name for name in sys.modules if name.startswith('codeloc_envs')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("['codeloc_envs', 'codeloc_envs.request']")


def test_a_list_tells_packages_sizes_and_times(store: Store, build: Build, wheel: Wheel) -> None:
    wheel("alpha", "2.0")
    environment = build(Request(packages=("alpha",)))
    (listed,) = store.list()
    assert listed["key"] == environment.key
    assert listed["path"] == str(environment.path)
    assert listed["python"] == environment.python
    assert listed["packages"] == ["alpha==2.0"]
    assert 0 < listed["shared"] < listed["size"]
    assert listed["created"] <= listed["last_used"]


def test_a_second_environment_links_the_files_of_the_first(
    store: Store, build: Build, wheel: Wheel
) -> None:
    wheel("alpha")
    wheel("beta")
    one = build(Request(packages=("alpha",)))
    two = build(Request(packages=("alpha", "beta")))
    assert one.path is not None
    assert two.path is not None
    files = [next(path.glob("lib/*/site-packages/alpha.py")) for path in (one.path, two.path)]
    assert files[0].stat().st_ino == files[1].stat().st_ino


def test_a_worker_reports_a_problem_as_its_last_line(
    start: Start, wheels: Path, workplace: Path
) -> None:
    worker = start(choose(Request(packages=("gone",)), code=workplace))
    last = result(worker)
    assert last["problem"]["summary"].startswith("no such package: gone")
    assert "gone was not found" in last["problem"]["detail"]
    assert worker.wait() == 0


def test_a_package_is_as_large_as_its_own_record_says(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    for name in ("small-1.0", "odd_one-2"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    record = site / "small-1.0.dist-info" / "RECORD"
    record.write_text('a.py,sha256=x,12\n"b,c.py",,30\nRECORD,,\n')
    assert package_sizes(tmp_path) == [
        {"name": "odd-one", "version": "2", "size": None},
        {"name": "small", "version": "1.0", "size": 42},
    ]
