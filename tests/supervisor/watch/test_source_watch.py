"""What counts for a location, and when: files, folders, links, bursts."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codelocd.watch import plan
from codelocd.watch.notices import Change, Kind, Notice, Watched
from codelocd.watch.watch import SourceWatch
from tests.supervisor.watch.listening import Listener

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's own")


async def test_a_module_in_a_package_that_appears_later_counts(listener: Listener) -> None:
    defs = listener.write("defs.py", "defs")
    listener.serve(defs)
    deep = listener.write("reports/monthly/sums.py", "sums")
    await listener.changed_to({deep: "sums"})
    deep.write_text("more")
    await listener.changed_to({deep: "more"})


async def test_a_root_that_appears_later_counts(listener: Listener, tmp_path: Path) -> None:
    defs, root = listener.write("defs.py", "defs"), tmp_path / "not" / "yet" / "there"
    listener.serve(defs, roots=(root,))
    root.mkdir(parents=True)
    module = root / "orders.py"
    module.write_text("orders")
    await listener.changed_to({module: "orders"})


async def test_a_root_that_is_removed_and_made_again_counts(listener: Listener) -> None:
    orders = listener.write("pkg/orders.py", "old")
    listener.serve(orders, roots=(orders.parent,))
    shutil.rmtree(orders.parent)
    await listener.changed_to({orders: None})
    listener.write("pkg/orders.py", "new")
    await listener.changed_to({orders: "new"})


async def test_a_file_that_does_not_exist_yet_counts_once_it_does(listener: Listener) -> None:
    defs = listener.write("defs.py", "defs")
    lock = listener.folder / "deep" / "down" / "uv.lock"
    listener.serve(defs, inputs=(lock,))
    listener.write("deep/down/uv.lock", "lock")
    assert await listener.change() == Change(1, (str(lock),), inputs=True)


async def test_a_glob_counts_new_changed_and_deleted_files(listener: Listener) -> None:
    defs, query = listener.write("defs.py", "defs"), listener.write("sql/a.sql", "old")
    listener.serve(defs, patterns=("**/*.sql",), ignore=("scratch/**",))
    query.write_text("new")
    await listener.changed_to({query: "new"})
    other = listener.write("more/sql/b.sql", "b")
    await listener.changed_to({other: "b"})
    shutil.rmtree(other.parent)
    await listener.changed_to({other: None})
    for name in ("scratch/c.sql", ".venv/d.sql", ".git/e.sql", "sql/.f.sql.swp", "sql/g.txt"):
        listener.write(name, "never")
    await listener.quiet()


@linux
async def test_environments_and_caches_are_not_even_watched(listener: Listener) -> None:
    listener.write("env/pyvenv.cfg", "home = /usr/bin")
    for name in ("env/lib/a.py", "node_modules/b.py", "__pycache__/c.py", "pkg/d.py"):
        listener.write(name, "x")
    before = len(watches())
    listener.follow(patterns=("**/*.py",))
    # The folder itself, the top of `env`, `pkg`; nothing below.
    assert len(watches()) - before == 3


@linux
async def test_locations_that_share_a_folder_share_its_watch(
    listener: Listener, tmp_path: Path
) -> None:
    defs = listener.write("defs.py", "old")
    told: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    watch = SourceWatch(lambda location, _: told.put_nowait(location), told.put_nowait, loop)
    watched = Watched(
        frozenset({str(defs)}), (str(tmp_path / "project"),), (), (), str(tmp_path), frozenset()
    )
    before = len(watches())
    for location in ("a", "b", "c"):
        watch.follow(location, watched)
    assert len(watches()) - before == 1
    watch.forget("b")
    listener.serve(defs)
    defs.write_text("new")
    await listener.changed_to({defs: "new"})
    async with asyncio.timeout(60):
        assert sorted([await told.get(), await told.get()]) == ["a", "c"]
    watch.forget("a")
    watch.forget("c")
    assert len(watches()) - before == 1  # the listener's own
    watch.close()
    assert told.empty()


async def test_a_link_to_a_source_and_its_target_both_count(
    listener: Listener, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "shared.py"
    target.write_text("old")
    link = listener.folder / "shared.py"
    link.symlink_to(target)
    listener.serve(link)
    target.write_text("new")
    await listener.changed_to({link: "new"})
    other = tmp_path / "real" / "other.py"
    other.write_text("other")
    link.unlink()
    link.symlink_to(other)
    await listener.changed_to({link: "other"})
    other.write_text("changed")
    await listener.changed_to({link: "changed"})


async def test_a_link_that_comes_later_counts_with_what_it_leads_to(
    listener: Listener, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    targets = [tmp_path / "real" / name for name in ("first", "second", "third")]
    env = listener.folder / ".env"
    listener.serve(listener.write("defs.py", "defs"), inputs=(env,))
    targets[0].write_text("first")
    env.symlink_to(targets[0])
    await listener.changed_to({env: "first"})
    targets[0].write_text("again")
    await listener.changed_to({env: "again"})
    env.unlink()
    env.write_text("its own")
    await listener.changed_to({env: "its own"})
    env.unlink()
    env.symlink_to(targets[1])
    await listener.changed_to({env: None})
    targets[1].write_text("late")
    await listener.changed_to({env: "late"})
    targets[2].write_text("third")
    (listener.folder / "next").symlink_to(targets[2])
    (listener.folder / "next").rename(env)
    await listener.changed_to({env: "third"})
    targets[2].write_text("more")
    await listener.changed_to({env: "more"})


async def test_a_release_that_is_switched_by_a_link_counts(
    listener: Listener, tmp_path: Path
) -> None:
    for release in ("1", "2"):
        (tmp_path / release / "pkg").mkdir(parents=True)
        (tmp_path / release / "pkg" / "defs.py").write_text(f"release {release}")
    current = tmp_path / "current"
    current.symlink_to("1")
    defs = current / "pkg" / "defs.py"
    listener.serve(defs, roots=(current / "pkg",))
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(current)
    await listener.changed_to({defs: "release 2"})
    (tmp_path / "2" / "pkg" / "defs.py").write_text("release 2.1")
    await listener.changed_to({defs: "release 2.1"})


async def test_links_in_a_circle_end(listener: Listener) -> None:
    defs = listener.write("defs.py", "defs")
    (listener.folder / "loop").symlink_to(".")
    (listener.folder / "a.py").symlink_to("b.py")
    (listener.folder / "b.py").symlink_to("a.py")
    listener.serve(defs, patterns=("**/*.py",))
    defs.write_text("new")
    await listener.changed_to({defs: "new"})


async def test_an_input_is_flagged(listener: Listener) -> None:
    defs, lock = listener.write("defs.py", "defs"), listener.write("uv.lock", "old")
    listener.serve(defs, inputs=(lock,))
    listener.write("fresh", "new").replace(lock)  # at once: a look never finds half of it
    assert await listener.change() == Change(1, (str(lock),), inputs=True)
    listener.watch.begin("sales")
    defs.write_text("new")
    assert await listener.change() == Change(2, (str(defs),), inputs=False)


async def test_a_pipe_or_a_huge_file_under_a_glob_holds_nobody_up(listener: Listener) -> None:
    defs = listener.write("defs.py", "defs")
    os.mkfifo(listener.folder / "pipe.data")
    huge = listener.folder / "huge.data"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    listener.serve(defs, patterns=("*.data",))
    with huge.open("r+b") as file:
        file.truncate(1 << 39)
    assert (await listener.change()).paths == (str(huge),)


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
async def test_a_checkout_of_many_files_ends_in_what_is_on_the_disk(
    listener: Listener, count: int
) -> None:
    paths = [listener.folder / f"pkg{n % 40}" / f"m{n}.py" for n in range(count)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# old {path}\n")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(listener.folder)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    commit(git, "old")
    subprocess.run([*git, "checkout", "-q", "-b", "other"], check=True)
    for path in paths[:-100]:
        path.write_text(f"# new, longer {path}\n")
    for path in paths[-100:]:
        path.unlink()
    commit(git, "new")
    subprocess.run([*git, "checkout", "-q", "main"], check=True)
    listener.serve(*paths)
    checkout = await asyncio.create_subprocess_exec(*git, "checkout", "-q", "other")
    await listener.until(lambda: bool(listener.changes) and listener.changes[-1].differing == count)
    assert await checkout.wait() == 0
    listener.watch.begin("sales")
    present = {str(p): listener.digest(p.read_text()) for p in paths if p.exists()}
    assert not listener.watch.loaded("sales", present).paths


async def test_folders_that_appear_in_a_burst_are_all_seen(listener: Listener) -> None:
    defs = listener.write("defs.py", "defs")
    listener.serve(defs)
    modules = [listener.folder / f"p{n % 7}" / f"q{n % 31}" / f"m{n}.py" for n in range(500)]
    await asyncio.to_thread(write_all, modules)
    await listener.until(lambda: bool(listener.changes) and listener.changes[-1].differing == 500)
    await listener.changed_to(dict.fromkeys(modules, "new"))


@linux
async def test_an_overflow_of_the_kernels_queue_loses_nothing(listener: Listener) -> None:
    defs = listener.write("defs.py", "old")
    listener.serve(defs)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for n in range(limit // 2 + 1):  # two events each, and the loop reads none meanwhile
        (listener.folder / f"{n}.txt").touch()
    defs.write_text("new")
    new = listener.write("appeared/helper.py", "helper")
    await listener.changed_to({defs: "new", new: "helper"})
    new.write_text("more")
    await listener.changed_to({new: "more"})


async def test_a_look_at_everything_finds_a_change_behind_a_moved_parent(
    listener: Listener, tmp_path: Path
) -> None:
    """No event tells of a parent of a watched folder: this is what the backstop is for."""
    defs = listener.folder / "lib" / "pkg" / "defs.py"
    listener.write("lib/pkg/defs.py", "old")
    listener.serve(defs, roots=())
    (listener.folder / "lib").rename(tmp_path / "aside")
    listener.write("lib/pkg/defs.py", "new")
    listener.watch._folders._inbox.put(Notice("", "", Kind.LOST))
    await listener.changed_to({defs: "new"})
    defs.write_text("newer")
    await listener.changed_to({defs: "newer"})


async def test_a_location_that_is_forgotten_is_not_spoken_of(listener: Listener) -> None:
    defs = listener.write("defs.py", "old")
    listener.serve(defs)
    listener.write("appeared/helper.py", "helper")
    await listener.change()
    defs.write_text("new")
    listener.watch.forget("sales")
    listener.watch.forget("sales")
    listener.serve(defs)
    await listener.quiet()
    with pytest.raises(KeyError):
        listener.watch.begin("finance")


async def test_a_root_with_too_many_folders_is_cut_and_one_line_says_so(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MOST_FOLDERS", 3)
    deep = listener.write("a/b/c/d/e.py", "old")
    listener.serve(deep)
    (problem,) = listener.problems
    assert problem.startswith(f'location "sales": {listener.folder} has more than')
    deep.write_text("new")
    await listener.changed_to({deep: "new"})
    assert len(listener.problems) == 1


async def test_a_location_that_is_followed_anew_counts_by_the_new_rules(
    listener: Listener,
) -> None:
    defs, query = listener.write("defs.py", "defs"), listener.write("a.sql", "old")
    idle = listener.write("lib/idle.py", "idle")
    listener.serve(defs, roots=())
    listener.follow(defs, patterns=("*.sql",))
    assert listener.watch.differing("sales") == 0
    idle.write_text("changed")
    await listener.quiet()
    query.write_text("new")
    assert await listener.change() == Change(1, (str(query),), inputs=False)
    listener.follow(defs)
    assert listener.watch.differing("sales") == 0
    query.write_text("newer")
    await listener.quiet()


@linux
async def test_nothing_is_called_after_close(listener: Listener) -> None:
    defs = listener.write("defs.py", "old")
    listener.serve(defs)
    before = set(os.listdir("/proc/self/fd"))
    other = Listener(listener.folder)
    other.serve(defs)
    defs.write_text("new")
    other.watch.close()
    await listener.changed_to({defs: "new"})
    assert not other.changes
    assert set(os.listdir("/proc/self/fd")) <= before


def write_all(paths: list[Path]) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("new")


def commit(git: list[str], message: str) -> None:
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", message], check=True)


def watches() -> list[str]:
    """The kernel's own list of what this process watches."""
    lines: list[str] = []
    for descriptor in Path("/proc/self/fdinfo").iterdir():
        try:
            lines += descriptor.read_text().splitlines()
        except FileNotFoundError:
            continue
    return [line for line in lines if line.startswith("inotify wd:")]
