"""What a release is copied from: a folder that holds still, and a commit."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from codelocd.releases.folder_source import TRIES, FolderSource, IgnoredPaths, TreeSource
from codelocd.releases.git_source import GitSource
from codelocd.releases.manifest import UnfitTree

EVERYTHING = IgnoredPaths()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project as it stands on a developer's machine."""
    root = tmp_path / "tree"
    (root / "pkg/deep").mkdir(parents=True)
    (root / "pkg/__init__.py").write_text("")
    (root / "pkg/deep/code.py").write_text("x = 1\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "latest").symlink_to("pkg/deep")
    return root


def leave_lying_about(root: Path) -> None:
    """What is no part of a release."""
    for path in (
        *(".git/config", "pkg/__pycache__/x.pyc", ".venv/bin/python", "node_modules/a/b.js"),
        *("own/pyvenv.cfg", "own/lib/x.py", ".code.py.swp", "code.py~", ".pytest_cache/v"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / "empty").mkdir()


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(["git", *who, *words], cwd=root, capture_output=True, check=True)
    return done.stdout.decode().strip()


def committed(root: Path) -> str:
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all")
    return git(root, "rev-parse", "HEAD")


def paths(source: TreeSource) -> list[str]:
    return [entry.path for entry in source.manifest.entries]


def read(source: TreeSource) -> set[bytes]:
    contents = source.contents(source.manifest.sizes)
    return {b"".join(blocks) for _, blocks in contents}


def test_all_files_are_taken_but_caches_environments_and_editors_files(tree: Path) -> None:
    clean = FolderSource(tree, EVERYTHING).manifest.id
    leave_lying_about(tree)
    found = FolderSource(tree, EVERYTHING)
    assert paths(found) == ["latest", "pkg/__init__.py", "pkg/deep/code.py", "run.sh"]
    assert found.manifest.id == clean
    assert read(found) == {b"", b"x = 1\n", b"#!/bin/sh\n"}


def test_what_the_location_ignores_is_left_out(tree: Path) -> None:
    globs = ["pkg/deep/**", "*.sh", "latest"]
    assert paths(FolderSource(tree, IgnoredPaths(globs))) == ["pkg/__init__.py"]
    committed(tree)
    assert paths(GitSource(tree, "main", IgnoredPaths(globs))) == ["pkg/__init__.py"]


def test_a_commit_and_a_folder_of_the_same_files_are_the_same_release(tree: Path) -> None:
    commit = committed(tree)
    found = GitSource(tree, "main", EVERYTHING)
    assert found.commit == commit
    assert found.manifest.id == FolderSource(tree, EVERYTHING).manifest.id
    assert read(found) == {b"", b"x = 1\n", b"#!/bin/sh\n"}


def test_of_a_commit_no_file_on_disk_counts(tree: Path) -> None:
    committed(tree)
    before = GitSource(tree, "HEAD", EVERYTHING).manifest.id
    (tree / "pkg/deep/code.py").write_text("saved and not committed")
    (tree / "more.py").write_text("")
    assert GitSource(tree, "HEAD", EVERYTHING).manifest.id == before


def test_a_folder_within_the_repository_is_a_tree_of_its_own(tree: Path) -> None:
    committed(tree)
    found = GitSource(tree / "pkg", "main", EVERYTHING)
    assert paths(found) == ["__init__.py", "deep/code.py"]


def test_no_filter_and_no_hook_of_a_repository_is_run(tree: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tree / ".gitattributes").write_text("*.py filter=evil\nrun.sh export-ignore\n")
    committed(tree)
    for key in ("filter.evil.smudge", "filter.evil.process", "core.fsmonitor"):
        git(tree, "config", key, f"touch {ran}")
    found = GitSource(tree, "main", EVERYTHING)
    assert "run.sh" in paths(found)
    assert b"x = 1\n" in read(found)
    assert not ran.exists()


@pytest.mark.parametrize("ref", ["nope", "--help", "main:pkg", ""])
def test_a_ref_that_names_no_commit_is_said_in_a_line(tree: Path, ref: str) -> None:
    committed(tree)
    with pytest.raises(UnfitTree, match="has no commit"):
        GitSource(tree, ref, EVERYTHING)


def test_a_folder_without_a_repository_says_so(tree: Path) -> None:
    with pytest.raises(UnfitTree, match="has no commit 'main'"):
        GitSource(tree, "main", EVERYTHING)


def test_a_repository_of_another_user_is_read_once_it_is_trusted(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(tree)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    with pytest.raises(UnfitTree, match="which another user owns") as refused:
        GitSource(tree, "main", EVERYTHING)
    advice = str(refused.value).partition("trust it: git ")[2]
    subprocess.run(["git", *advice.split()], check=True)
    assert GitSource(tree, "main", EVERYTHING).commit


def test_a_submodule_is_refused_and_a_pointer_of_lfs_is_counted(tree: Path) -> None:
    (tree / "large.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    commit = committed(tree)
    assert GitSource(tree, "main", EVERYTHING).pointers == 1
    git(tree, "update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    git(tree, "commit", "-q", "-m", "with a submodule")
    with pytest.raises(UnfitTree, match="lib is a submodule"):
        GitSource(tree, "main", EVERYTHING)


def test_a_folder_that_changes_while_it_is_read_is_read_again(tree: Path) -> None:
    looks: list[int] = []

    def save_once() -> None:
        if not looks:
            (tree / "pkg/deep/code.py").write_text("x = 2\n")
            (tree / "pkg/new.py").write_text("")
        looks.append(1)

    found = FolderSource(tree, EVERYTHING, save_once)
    assert len(looks) == 2
    assert "pkg/new.py" in paths(found)
    assert b"x = 2\n" in read(found)


def test_one_that_never_rests_is_given_up_with_the_file_that_changed(tree: Path) -> None:
    looks: list[int] = []

    def save() -> None:
        looks.append(1)
        (tree / "pkg/deep/code.py").write_text("x" * len(looks))

    with pytest.raises(UnfitTree, match=r"changes while it is copied.*pkg/deep/code\.py"):
        FolderSource(tree, EVERYTHING, save)
    assert len(looks) == TRIES


def test_a_file_that_changes_between_reading_and_sending_is_noticed(tree: Path) -> None:
    found = FolderSource(tree, EVERYTHING)
    (tree / "pkg/deep/code.py").write_text("y = 1\n")
    with pytest.raises(UnfitTree, match="was changed while"):
        read(found)


def test_what_is_no_file_is_refused_by_its_name(tree: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(tree)
        try:
            listening.bind("s")
        finally:
            os.chdir(here)
        with pytest.raises(UnfitTree, match="s is no file"):
            FolderSource(tree, EVERYTHING)
        assert "s" not in paths(FolderSource(tree, IgnoredPaths(["s"])))
    with pytest.raises(UnfitTree, match="is no folder"):
        FolderSource(tmp_path / "nowhere", EVERYTHING)


def test_a_link_out_of_the_tree_is_refused(tree: Path) -> None:
    (tree / "pkg/out").symlink_to("../../elsewhere")
    with pytest.raises(UnfitTree, match="the link pkg/out"):
        FolderSource(tree, EVERYTHING)
    committed(tree)
    with pytest.raises(UnfitTree, match="the link pkg/out"):
        GitSource(tree, "main", EVERYTHING)
