"""The bundle folder: complete, versioned by content, made once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import msgpack
import pytest

from codeloc_envs import Store
from codeloc_envs.store.lease import Lease
from codelocd.runners import bundle
from codelocd.runners.bundle import (
    contents,
    fingerprint,
    is_genuine,
    lease_bundle,
    make_bundle,
)

RUN = """
import os, sys
sys.dont_write_bytecode = False
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from codeloc_runner import main
main.compile_bundle()
"""
FIFTEEN_DAYS = 15 * 86400.0


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_holds_both_packages_and_the_python_half_of_msgpack(tmp_path):
    made = names(make_bundle(tmp_path))
    assert {"api/codeloc/__init__.py", "codeloc_runner/__main__.py"} <= made
    assert "codeloc_runner/loaders/native.py" in made
    private = {name for name in made if name.startswith("codeloc_runner/_msgpack/")}
    expected = {"__init__.py", "exceptions.py", "ext.py", "fallback.py"}
    assert private == {f"codeloc_runner/_msgpack/{name}" for name in expected}
    assert all(name.endswith(".py") for name in made)


def test_msgpack_is_copied_unchanged(tmp_path):
    copy = make_bundle(tmp_path) / "codeloc_runner" / "_msgpack" / "fallback.py"
    assert copy.read_bytes() == Path(msgpack.__file__).with_name("fallback.py").read_bytes()


def test_a_second_time_it_is_the_same_folder_untouched(tmp_path):
    first = make_bundle(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert make_bundle(tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_other_content_is_another_bundle_beside_the_first(tmp_path, monkeypatch):
    first = make_bundle(tmp_path)
    changed = {**contents(), PurePosixPath("codeloc", "more.py"): b""}
    monkeypatch.setattr(bundle, "contents", lambda: changed)
    second = make_bundle(tmp_path)
    assert second != first
    assert names(second) - names(first) == {"codeloc/more.py"}


def test_names_and_contents_that_flow_into_each_other_differ():
    path = PurePosixPath
    assert fingerprint({path("a"): b"b"}) != fingerprint({path("ab"): b""})


def test_several_makers_at_once_make_one(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        made = pool.map(make_bundle, [tmp_path] * 6)
    assert len(set(made)) == 1
    assert os.listdir(tmp_path) == [made[0].name]


def test_what_a_maker_that_was_killed_left_is_no_bundle(tmp_path):
    half = tmp_path / ".bundle-half" / "codeloc"
    half.mkdir(parents=True)
    made = make_bundle(tmp_path)
    assert made.name != half.parent.name
    assert (made / "codeloc_runner" / "__main__.py").exists()


def leased(store: Path) -> tuple[Path, Lease]:
    made, lease = lease_bundle(store)
    assert lease is not None
    return made, lease


def age(store: Path, name: str) -> None:
    """As if it had last been used fifteen days ago."""
    then = time.time() - FIFTEEN_DAYS
    for path in (store / "bundle" / f"{name}.lock", store / "bundle" / name):
        os.utime(path, (then, then))


def test_a_bundle_that_no_daemon_uses_is_removed_with_what_else_is_old(tmp_path, monkeypatch):
    old, lease = leased(tmp_path)
    lease.close()
    changed = {**contents(), PurePosixPath("codeloc", "more.py"): b""}
    monkeypatch.setattr(bundle, "contents", lambda: changed)
    new, other = leased(tmp_path)
    for made in (old, new):
        age(tmp_path, made.name)
    Store(tmp_path).prune()
    assert set(os.listdir(tmp_path / "bundle")) == {new.name, f"{new.name}.lock"}
    assert os.listdir(tmp_path / "trash") == []
    other.close()


def test_a_bundle_stays_as_long_as_one_of_its_daemons_lives(tmp_path):
    made, one = leased(tmp_path)
    same, two = leased(tmp_path)
    assert same == made
    one.close()
    age(tmp_path, made.name)
    Store(tmp_path).prune(idle=0)
    assert (made / "codeloc_runner" / "__main__.py").exists()
    two.close()
    Store(tmp_path).prune(idle=0)
    assert not made.exists()


def test_what_an_earlier_codelocd_made_under_another_name_is_removed(tmp_path):
    _, lease = leased(tmp_path)
    lease.close()
    (tmp_path / "bundle").rename(tmp_path / "kit")
    Store(tmp_path).prune(idle=0)
    assert os.listdir(tmp_path / "kit") == []


def test_a_bundle_that_was_used_lately_stays(tmp_path):
    made, lease = leased(tmp_path)
    age(tmp_path, made.name)
    lease.close()
    Store(tmp_path).prune()
    assert made.exists()


def test_a_daemon_that_starts_while_its_bundle_is_removed_makes_it_again(tmp_path):
    made, lease = leased(tmp_path)
    lease.close()
    Store(tmp_path).prune(idle=0)
    again, lease = leased(tmp_path)
    assert again == made
    assert (made / "codeloc_runner" / "__main__.py").exists()
    lease.close()


def test_a_half_written_bundle_is_removed_when_nobody_can_still_be_writing_it(tmp_path):
    made, lease = leased(tmp_path)
    for name, seconds in ((".bundle-old", 7200), (".bundle-new", 0)):
        draft = made.parent / name
        (draft / "codeloc").mkdir(parents=True)
        then = time.time() - seconds
        os.utime(draft, (then, then))
    Store(tmp_path).prune()
    assert not (made.parent / ".bundle-old").exists()
    assert (made.parent / ".bundle-new").exists()
    lease.close()


@pytest.mark.parametrize("attack", ["other content", "another module", "a link", "mode"])
def test_what_is_not_what_its_name_says_is_not_run(tmp_path, attack):
    made = make_bundle(tmp_path)
    main = made / "codeloc_runner" / "main.py"
    if attack == "other content":
        main.write_bytes(main.read_bytes().replace(b"import", b"Import", 1))
    elif attack == "another module":
        (made / "api" / "json.py").touch()
    elif attack == "a link":
        main.rename(tmp_path / "main.py")
        main.symlink_to(tmp_path / "main.py")
    else:
        main.chmod(0o666)
    assert not is_genuine(made, contents())
    assert make_bundle(tmp_path) == made
    assert is_genuine(made, contents())


def test_one_that_somebody_removes_while_it_is_looked_at_is_made_again(tmp_path, monkeypatch):
    made, rglob = make_bundle(tmp_path), Path.rglob

    def vanishing(path, pattern):
        for each in rglob(path, pattern):
            yield each
            shutil.rmtree(made, ignore_errors=True)

    monkeypatch.setattr(Path, "rglob", vanishing)
    assert make_bundle(tmp_path) == made
    monkeypatch.undo()
    assert is_genuine(made, contents())


def test_what_its_runners_compile_is_no_part_of_it_and_is_not_for_others(tmp_path):
    made = make_bundle(tmp_path)
    before = os.umask(0)
    try:
        subprocess.run([sys.executable, "-c", RUN, made / "codeloc_runner"], check=True)
    finally:
        os.umask(before)
    assert list(made.glob(".compiled-*"))
    assert list((made / "codeloc_runner" / "load" / "__pycache__").iterdir())
    assert is_genuine(made, contents())
    assert {each.stat().st_mode & 0o022 for each in made.rglob("*")} == {0}
    (made / "codeloc_runner" / "__pycache__").chmod(0o777)
    assert not is_genuine(made, contents())


def test_it_is_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        lease_bundle(tmp_path / "share" / "store")
    finally:
        os.umask(before)
    assert {each.stat().st_mode & 0o077 for each in tmp_path.rglob("*")} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_one_of_somebody_else_is_refused(tmp_path):
    made = make_bundle(tmp_path)
    os.chown(made, 65533, -1)
    with pytest.raises(PermissionError, match=f"{made} belongs to user 65533"):
        make_bundle(tmp_path)
