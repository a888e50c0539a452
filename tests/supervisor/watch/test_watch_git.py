"""A repository that git rewrites is locked, from any folder in it, worktrees included."""

import subprocess
from pathlib import Path

import pytest

from codelocd.watch import files
from tests.supervisor.watch.listening import Listener


def run(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "pkg").mkdir(parents=True)
    run(folder, "init", "-q", "-b", "main")
    for text in ("one", "two"):
        (folder / "pkg" / "a.py").write_text(text)
        run(folder, "add", "-A")
        run(folder, "commit", "-q", "-m", text)
    return folder


def test_a_repository_at_rest_is_not_locked(repository: Path) -> None:
    assert not files.locked_by_git([str(repository / "pkg")])


def test_a_folder_outside_any_repository_is_not_locked(tmp_path: Path) -> None:
    assert not files.locked_by_git([str(tmp_path), "/"])


def test_an_index_lock_counts_for_every_folder_below(repository: Path) -> None:
    (repository / ".git" / "index.lock").touch()
    assert files.locked_by_git([str(repository / "pkg" / "not" / "there")])


def test_a_rebase_that_waits_is_locked_until_it_ends(repository: Path) -> None:
    run(repository, "-c", "sequence.editor=sed -i s/pick/edit/", "rebase", "-q", "-i", "HEAD~1")
    assert files.locked_by_git([str(repository)])
    run(repository, "rebase", "--abort")
    assert not files.locked_by_git([str(repository)])


def test_the_lock_of_a_worktree_is_its_own(repository: Path, tmp_path: Path) -> None:
    worktree = tmp_path / "worktree"
    run(repository, "worktree", "add", "-q", str(worktree), "-b", "other")
    (repository / ".git" / "worktrees" / "worktree" / "index.lock").touch()
    assert files.locked_by_git([str(worktree / "pkg")])
    assert not files.locked_by_git([str(repository)])


async def test_a_location_is_locked_by_the_repository_of_a_library_it_imports(
    listener: Listener, repository: Path
) -> None:
    defs = listener.write("defs.py", "defs")
    listener.serve(defs, repository / "pkg" / "a.py")
    assert not listener.watch.pending("sales").locked
    (repository / ".git" / "index.lock").touch()
    assert listener.watch.pending("sales").locked
