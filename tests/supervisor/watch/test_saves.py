"""However a file is saved, its new content is seen; where the content is the same, nothing is."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.supervisor.watch.listening import Listener

Save = Callable[[Path, str], None]


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


def in_two_steps(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        file.write(text[len(text) // 2 :])


def temporary_and_rename(path: Path, text: str) -> None:
    temporary = path.with_name(".tmp-1234")
    temporary.write_text(text)
    temporary.rename(path)


def from_another_folder(path: Path, text: str) -> None:
    temporary = path.parent.parent / "elsewhere"
    temporary.write_text(text)
    temporary.rename(path)


def delete_and_create(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def vim(path: Path, text: str) -> None:
    """With `backup`, as strace shows it: a probe, a swap file, the old file moved aside."""
    swap, probe = path.with_name(f".{path.name}.swp"), path.with_name("4913")
    backup = path.with_name(path.name + "~")
    swap.write_text("swap")
    probe.touch()
    probe.unlink()
    path.rename(backup)
    path.write_text(text)
    path.chmod(0o644)
    backup.unlink()
    swap.unlink()


def pycharm(path: Path, text: str) -> None:
    new = path.with_name(path.name + "___jb_tmp___")
    old = path.with_name(path.name + "___jb_old___")
    new.write_text(text)
    path.rename(old)
    new.rename(path)
    old.unlink()


def emacs(path: Path, text: str) -> None:
    lock = path.with_name(".#" + path.name)
    lock.symlink_to("user@host.1234:1700000000")
    path.rename(path.with_name(path.name + "~"))
    path.write_text(text)
    lock.unlink()


def sed(path: Path, text: str) -> None:
    subprocess.run(["sed", "-i", f"s/.*/{text}/", path], check=True)


def linked(path: Path, text: str) -> None:
    temporary = path.parent.parent / "linked"
    temporary.write_text(text)
    path.unlink()
    path.hardlink_to(temporary)
    temporary.unlink()


SAVES: list[Save] = [
    in_place,
    in_two_steps,
    temporary_and_rename,
    from_another_folder,
    delete_and_create,
    vim,
    pycharm,
    emacs,
    sed,
    linked,
]
saved_by = pytest.mark.parametrize("save", SAVES, ids=lambda save: save.__name__)


@saved_by
async def test_a_save_is_one_change_with_the_new_content(listener: Listener, save: Save) -> None:
    defs = listener.write("defs.py", "old")
    listener.serve(defs)
    save(defs, "new")
    change = await listener.change()
    assert (change.differing, change.paths, change.inputs) == (1, (str(defs),), False)
    listener.changes.clear()
    listener.watch.begin("sales")
    assert not listener.watch.loaded("sales", {str(defs): listener.digest(defs.read_text())}).paths
    await listener.quiet()


@saved_by
async def test_a_save_of_the_same_content_is_nothing(listener: Listener, save: Save) -> None:
    defs = listener.write("defs.py", "same\n" if save is sed else "same")
    listener.serve(defs)
    save(defs, "same")
    await listener.quiet()
    assert listener.watch.differing("sales") == 0


@saved_by
async def test_a_save_of_a_file_that_nothing_imports_is_nothing(
    listener: Listener, save: Save
) -> None:
    defs = listener.write("defs.py", "defs")
    other = listener.write("other.py", "old")
    listener.serve(defs)
    save(other, "new")
    await listener.quiet()


async def test_touching_changing_modes_and_reading_is_nothing(listener: Listener) -> None:
    defs = listener.write("defs.py", "same")
    listener.serve(defs)
    os.utime(defs, (1, 1))
    defs.chmod(0o600)
    defs.read_text()
    await listener.quiet()


async def test_the_same_size_in_the_same_second_is_a_change(listener: Listener) -> None:
    defs = listener.write("defs.py", "limit = 1")
    listener.serve(defs)
    for limit in range(2, 8):
        status = defs.stat()
        defs.write_text(f"limit = {limit}")
        os.utime(defs, ns=(status.st_atime_ns, status.st_mtime_ns))
        await listener.until(lambda: listener.watch.differing("sales") == 1)
        await listener.changed_to({defs: f"limit = {limit}"})


async def test_going_back_to_what_was_served_leaves_nothing_different(listener: Listener) -> None:
    defs = listener.write("defs.py", "a")
    listener.serve(defs)
    defs.write_text("b")
    assert (await listener.change()).differing == 1
    listener.watch.begin("sales")
    defs.write_text("a")
    change = await listener.change()
    assert (change.differing, change.paths) == (0, (str(defs),))


async def test_a_deleted_file_is_a_change_and_its_return_another(listener: Listener) -> None:
    defs, orders = listener.write("defs.py", "defs"), listener.write("orders.py", "orders")
    listener.serve(defs, orders)
    orders.unlink()
    await listener.changed_to({orders: None})
    orders.write_text("orders")
    await listener.changed_to({orders: "orders"})


async def test_a_folder_moved_away_and_back_in_an_instant_is_nothing(listener: Listener) -> None:
    defs, helper = listener.write("defs.py", "defs"), listener.write("lib/helper.py", "help")
    listener.serve(defs, helper)
    helper.parent.rename(listener.folder / "aside")
    (listener.folder / "aside").rename(helper.parent)
    await listener.quiet()
    helper.write_text("more")
    await listener.changed_to({helper: "more"})


async def test_a_folder_copied_over_another_is_seen_file_by_file(listener: Listener) -> None:
    files = [listener.write(f"pkg/m{n}.py", "old") for n in range(3)]
    listener.serve(*files)
    fresh = listener.folder.parent / "fresh"
    shutil.copytree(listener.folder / "pkg", fresh)
    for file in fresh.iterdir():
        file.write_text("new")
    shutil.rmtree(listener.folder / "pkg")
    fresh.rename(listener.folder / "pkg")
    await listener.changed_to(dict.fromkeys(files, "new"))
