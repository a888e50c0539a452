"""Releases on disk: whole or not there, never written again, checked, removed when nothing runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codelocd.releases import records
from codelocd.releases.folder_source import FolderSource, IgnoredPaths
from codelocd.releases.manifest import TreeEntry, TreeManifest, UnfitTree
from codelocd.releases.records import ReleaseIndex, ReleaseOrigin, ReleaseRecord, UnknownRelease
from codelocd.releases.release_folder import (
    DamagedRelease,
    IncomingRelease,
    ReleaseFolder,
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg/a.py").write_text("same")
    (root / "pkg/b.py").write_text("same")
    (root / "run").write_text("#!/bin/sh")
    (root / "run").chmod(0o700)
    (root / "here").symlink_to("pkg/a.py")
    return root


@pytest.fixture
def releases(tmp_path: Path) -> ReleaseFolder:
    return ReleaseFolder(tmp_path / "state/releases/sales")


def sent(incoming: IncomingRelease, source: FolderSource) -> int:
    """Send what is wanted, byte by byte; how many contents that were."""
    wanted = sorted(incoming.wanted)
    for digest, blocks in source.contents(wanted):
        for block in blocks:
            for at in range(len(block)):
                incoming.add(digest, block[at : at + 1], more=True)
        incoming.add(digest, b"", more=False)
    return len(wanted)


def put_aside(releases: ReleaseFolder, root: Path) -> str:
    source = FolderSource(root, IgnoredPaths())
    incoming = releases.receive(source.manifest)
    sent(incoming, source)
    return incoming.seal()


def left(releases: ReleaseFolder) -> list[str]:
    return sorted(os.listdir(releases.folder))


def test_a_release_is_the_tree_read_only(releases: ReleaseFolder, source: Path) -> None:
    before = os.umask(0o077)
    try:
        release = put_aside(releases, source)
    finally:
        os.umask(before)
    tree = releases.tree(release)
    assert FolderSource(tree, IgnoredPaths()).manifest.id == release
    modes = {path.name: path.lstat().st_mode & 0o777 for path in tree.rglob("*")}
    assert modes == {"pkg": 0o755, "a.py": 0o444, "b.py": 0o444, "run": 0o555, "here": 0o777}
    assert (releases.folder / release).stat().st_mode & 0o777 == 0o700
    assert releases.ids() == left(releases) == [release]
    releases.verify(release)


def test_until_it_is_whole_there_is_no_release(releases: ReleaseFolder, source: Path) -> None:
    found = FolderSource(source, IgnoredPaths())
    incoming = releases.receive(found.manifest)
    with pytest.raises(UnfitTree, match="2 contents of the release have not been sent"):
        incoming.seal()
    assert releases.ids() == []
    incoming.drop()
    assert left(releases) == []


def test_what_a_killed_daemon_left_is_swept(releases: ReleaseFolder, source: Path) -> None:
    release = put_aside(releases, source)
    (source / "more.py").write_text("more")
    half = releases.receive(FolderSource(source, IgnoredPaths()).manifest)
    half.add(next(iter(half.wanted)), b"mo", more=True)
    again = ReleaseFolder(releases.folder)
    again.sweep()
    assert left(again) == [release]


def test_another_content_than_was_said_is_refused(releases: ReleaseFolder, source: Path) -> None:
    manifest = FolderSource(source, IgnoredPaths()).manifest
    digest = manifest.entries[1].digest
    for data, wrong in ((b"other", "longer"), (b"sam", "another content")):
        incoming = releases.receive(manifest)
        with pytest.raises(UnfitTree, match=wrong):
            incoming.add(digest, data, more=False)
        incoming.drop()
    incoming = releases.receive(manifest)
    with pytest.raises(UnfitTree, match="was not asked for"):
        incoming.add("0" * 64, b"", more=False)
    incoming.add(digest, b"sa", more=True)
    with pytest.raises(UnfitTree, match="began before"):
        incoming.add((incoming.wanted - {digest}).pop(), b"", more=False)


def test_only_what_no_release_holds_is_sent(releases: ReleaseFolder, source: Path) -> None:
    first = put_aside(releases, source)
    (source / "pkg/b.py").write_text("other")
    found = FolderSource(source, IgnoredPaths())
    assert len(releases.missing(found.manifest)) == 1
    incoming = releases.receive(found.manifest)
    assert sent(incoming, found) == 1
    second = incoming.seal()
    inodes = [(releases.tree(each) / "pkg/a.py").stat().st_ino for each in (first, second)]
    assert inodes[0] != inodes[1], "a damage of one release must not reach another"


def test_a_damaged_file_is_not_copied_from(releases: ReleaseFolder, source: Path) -> None:
    first = put_aside(releases, source)
    for name in ("a.py", "b.py"):
        damaged = releases.tree(first) / "pkg" / name
        damaged.chmod(0o600)
        damaged.write_text("evil")
    (source / "more.py").write_text("more")
    second = put_aside(releases, source)
    assert (releases.tree(second) / "pkg/a.py").read_text() == "same"
    releases.verify(second)


def test_the_same_tree_twice_is_one_release(releases: ReleaseFolder, source: Path) -> None:
    found = FolderSource(source, IgnoredPaths())
    one, other = releases.receive(found.manifest), releases.receive(found.manifest)
    for incoming in (one, other):
        sent(incoming, found)
    assert one.seal() == other.seal()
    assert left(releases) == [found.manifest.id]


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        ("rm pkg/a.py", "a.py is missing"),
        ("rm -r pkg && touch pkg", "pkg/a.py is missing"),
        ("chmod u+w run && printf '#!/bin/bx' > run", "run was changed"),
        ("chmod a-x run", "run has another mode"),
        ("ln -sfn pkg/b.py here", "here is not the link"),
        ("rm run && mkdir run", "run is no file"),
        ("chmod u+w ../.codelocd-release && sed -i s/a.py/c.py/ ../.codelocd-release", "list of"),
        ("rm ../.codelocd-release", "there is no release"),
    ],
)
def test_a_damaged_release_says_what_differs(
    releases: ReleaseFolder, source: Path, damage: str, wrong: str
) -> None:
    release = put_aside(releases, source)
    subprocess.run(damage, shell=True, check=True, cwd=releases.tree(release))
    with pytest.raises(DamagedRelease, match=wrong):
        releases.verify(release)


def test_what_code_writes_beside_its_files_damages_nothing(
    releases: ReleaseFolder, source: Path
) -> None:
    release = put_aside(releases, source)
    (releases.tree(release) / "pkg/__pycache__").mkdir()
    (releases.tree(release) / "target.json").write_text("{}")
    releases.verify(release)


def test_a_release_that_a_process_runs_is_not_removed(
    releases: ReleaseFolder, source: Path
) -> None:
    release = put_aside(releases, source)
    lease = releases.lease(release)
    sleeping = [sys.executable, "-c", "input()"]
    with subprocess.Popen(sleeping, stdin=subprocess.PIPE, pass_fds=[lease.fileno()]) as running:
        lease.close()
        assert not releases.remove(release)
        releases.verify(release)
        running.communicate(b"\n")
    assert releases.remove(release)
    assert left(releases) == []


def test_which_is_current_is_a_link_on_disk(releases: ReleaseFolder, source: Path) -> None:
    assert releases.current() is None
    releases.set_current(None)
    release = put_aside(releases, source)
    releases.set_current(release)
    assert ReleaseFolder(releases.folder).current() == release
    releases.set_current(None)
    assert ReleaseFolder(releases.folder).current() is None
    assert left(releases) == [release]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 256 KiB."""
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", name]
        if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root, where it may, can mount a small file system")
        yield Path(name)
        subprocess.run(["umount", name], check=True)


def test_a_full_disk_leaves_no_half_of_a_release(small_disk: Path, source: Path) -> None:
    releases = ReleaseFolder(small_disk / "releases")
    first = put_aside(releases, source)
    (source / "large").write_bytes(os.urandom(1024 * 1024))
    found = FolderSource(source, IgnoredPaths())
    incoming = releases.receive(found.manifest)
    with pytest.raises(OSError, match="No space left"):
        send_at_once(incoming, found)
    incoming.drop()
    assert left(releases) == [first]
    releases.verify(first)


def send_at_once(incoming: IncomingRelease, source: FolderSource) -> None:
    for digest, blocks in source.contents(sorted(incoming.wanted)):
        for block in blocks:
            incoming.add(digest, block, more=True)


# --- what is known of them ---------------------------------------------------------------------


def record(release: str, at: float, **facts: object) -> ReleaseRecord:
    known = {"served": True, **facts}
    return ReleaseRecord(release, at, **known)  # type: ignore[arg-type]


def index(*found: ReleaseRecord) -> ReleaseIndex:
    made = ReleaseIndex({each.id: each for each in found})
    for each in found:
        if each.served and each.problem is None:
            made = made.deployed(each.id)
    return made


def test_a_rollback_goes_back_one_by_one_and_never_to_what_was_left_that_way() -> None:
    found = index(record("a", 1), record("b", 2), record("c", 3))
    before = found.before("c")
    assert before is not None
    assert before.id == "b"
    found = found.rolled_back("b").rolled_back("a")
    assert found.before("a") is None
    found = found.noted(record("d", 4)).deployed("d")
    before = found.before("d")
    assert before is not None
    assert before.id == "a"
    again = found.before(None)
    assert again is not None
    assert again.id == "d", "from the files in place: the last that served"
    assert found.rolled_back("c").stack == ("a", "d", "c"), "named by hand, it is another deploy"


def test_the_newest_stay_and_the_current_one_whatever_its_age() -> None:
    good = [record(name, at) for at, name in enumerate("abcdef")]
    bad = [record(name, 10 + at, problem="no") for at, name in enumerate("xyz")]
    found = index(*good, *bad)
    assert found.to_remove("f", 3) == ["c", "b", "a"]
    assert found.to_remove("f", 1) == ["e", "d", "c", "b", "a", "y", "x"]
    assert "a" not in found.rolled_back("a").to_remove("a", 2)
    assert found.to_remove("f", 50) == []


def test_a_release_is_named_by_the_beginning_of_its_id() -> None:
    found = index(record("abc1", 1), record("abd2", 2))
    assert found.named("abc", "sales").id == "abc1"
    for beginning, wrong in (("ab", "several releases"), ("x", "there is no"), ("", "several")):
        with pytest.raises(UnknownRelease, match=wrong):
            found.named(beginning, "sales")
    with pytest.raises(UnknownRelease, match=r"there is no release '' .*; there are: abc1"):
        index(record("abc1", 1)).named("", "sales")
    with pytest.raises(UnknownRelease, match="there are: none"):
        ReleaseIndex().named("a", "sales")


def test_what_is_known_is_read_as_it_was_written(tmp_path: Path) -> None:
    origin = ReleaseOrigin("/src", "main", "abc")
    found = index(record("a", 1.5, uid=7, user="me", origin=origin, files=3, bytes=9))
    found = found.noted(record("b", 2, served=False, problem="1/0"))
    records.write(tmp_path, found)
    assert records.read(tmp_path, ["a", "b"]) == found
    assert records.read(tmp_path, ["b", "new"]).records["new"] == ReleaseRecord("new")
    assert records.read(tmp_path, ["b"]).stack == ()


@pytest.mark.parametrize("text", ["", "[]", '{"releases": {"a": {}}, "stack": []}', "{"])
def test_a_damaged_file_loses_who_deployed_and_no_release(tmp_path: Path, text: str) -> None:
    (tmp_path / records.FILE).write_text(text)
    assert records.read(tmp_path, ["a"]).records == {"a": ReleaseRecord("a")}


def test_states_say_what_became_of_a_release() -> None:
    current, fine = record("a", 1), record("b", 2)
    failed, unused = record("c", 3, problem="no"), record("d", 4, served=False)
    states = [each.state("a") for each in (current, fine, failed, unused)]
    assert states == ["current", "former", "failed", "unused"]


def test_an_entry_that_is_too_long_for_the_disk_is_refused_before() -> None:
    with pytest.raises(UnfitTree, match="too long"):
        TreeManifest([TreeEntry("x" * 300, "0" * 64)])
