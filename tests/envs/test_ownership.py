"""Who else could have put there what stands at a path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeloc_envs.files import make_folder, open_for_reading, replace_text
from codeloc_envs.ownership import distrusted, own_users
from codeloc_envs.store.layout import Layout

OWN = (os.geteuid(), 0)
STRANGER = 65533
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a" / "project"
    folder.mkdir(parents=True)
    (folder / "codelocd.toml").touch(mode=0o644)
    return folder


def test_what_is_ones_own_is_trusted(project: Path) -> None:
    assert distrusted(project / "codelocd.toml", OWN) is None
    assert distrusted(project, OWN, private=True) is None


def test_what_is_not_there_yet_is_judged_by_what_is(project: Path) -> None:
    assert distrusted(project / "not" / "yet", OWN, private=True) is None
    project.chmod(0o777)
    assert distrusted(project / "not" / "yet", OWN) == f"others can write to {project}"


@as_root
@pytest.mark.parametrize("which", ["a", "a/project", "a/project/codelocd.toml"])
def test_a_file_and_each_folder_above_it_has_to_be_of_the_right_owner(
    tmp_path: Path, project: Path, which: str
) -> None:
    os.chown(tmp_path / which, STRANGER, -1)
    expected = f"{tmp_path / which} belongs to user {STRANGER}"
    assert distrusted(project / "codelocd.toml", OWN) == expected
    assert distrusted(project / "codelocd.toml", {*OWN, STRANGER}) is None


@pytest.mark.parametrize("which", ["a", "a/project", "a/project/codelocd.toml"])
def test_none_of_them_may_be_written_to_by_everybody(
    tmp_path: Path, project: Path, which: str
) -> None:
    (tmp_path / which).chmod(0o777)
    expected = f"others can write to {tmp_path / which}"
    assert distrusted(project / "codelocd.toml", OWN) == expected


def test_in_a_sticky_folder_only_what_is_ones_own_is_trusted(project: Path) -> None:
    project.chmod(0o1777)
    assert distrusted(project / "codelocd.toml", OWN) is None
    assert distrusted(project, OWN, private=True) == f"others can write to {project}"


@as_root
def test_a_planted_link_in_a_sticky_folder_is_refused(tmp_path: Path, project: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    link = shared / "link"
    link.symlink_to(project)
    assert distrusted(link / "codelocd.toml", OWN) is None
    os.lchown(link, STRANGER, -1)
    expected = f"the link {link} belongs to user {STRANGER}"
    assert distrusted(link / "codelocd.toml", OWN) == expected


@as_root
def test_a_link_is_judged_by_what_it_leads_to_as_well(tmp_path: Path, project: Path) -> None:
    link, middle = tmp_path / "link", tmp_path / "middle"
    middle.symlink_to("a")
    link.symlink_to("middle/../middle/project")
    assert distrusted(link / "codelocd.toml", OWN) is None
    os.lchown(middle, STRANGER, -1)
    assert distrusted(link, OWN) == f"the link {middle} belongs to user {STRANGER}"
    os.lchown(middle, 0, -1)
    os.chown(project.parent, STRANGER, -1)
    assert distrusted(link, OWN) == f"{project.parent} belongs to user {STRANGER}"


def test_links_without_end_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "cannot be looked at" in (distrusted(tmp_path / "a", OWN) or "")


def test_a_project_that_a_group_shares_is_trusted_and_a_private_folder_is_not(
    project: Path,
) -> None:
    if os.geteuid() == 0:
        os.chown(project, -1, STRANGER)
    project.chmod(0o2775)
    assert distrusted(project / "codelocd.toml", OWN) is None
    if os.geteuid() == 0:
        assert distrusted(project, OWN, private=True) == f"others can write to {project}"


@as_root
def test_the_group_of_a_user_alone_is_nobody_else(project: Path) -> None:
    os.chown(project, -1, 0)
    project.chmod(0o775)
    assert distrusted(project, OWN, private=True) is None


@as_root
def test_under_sudo_the_files_of_who_called_it_are_trusted() -> None:
    assert own_users({"SUDO_UID": "1234"}) == {0, 1234}
    assert own_users({"SUDO_UID": "x"}) == {0}


def test_what_is_made_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b")
        replace_text(tmp_path / "a" / "b" / "file", "")
        Layout(tmp_path / "store").prepare()
    finally:
        os.umask(before)
    assert {each.stat().st_mode & 0o077 for each in tmp_path.rglob("*")} == {0}


def test_a_link_that_leads_nowhere_is_not_followed_to_make_a_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        make_folder(tmp_path / "link" / "inner")
    assert not (tmp_path / "elsewhere").exists()


def test_a_planted_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("wanted.json", "wanted.json.new", "wanted.json.tmp"):
        (tmp_path / name).symlink_to(precious)
    replace_text(tmp_path / "wanted.json", "{}")
    assert precious.read_text() == "mine"
    assert not (tmp_path / "wanted.json").is_symlink()


@as_root
@pytest.mark.parametrize("attack", ["owner", "mode", "above"])
def test_nothing_is_made_in_a_store_that_somebody_else_decides_about(
    tmp_path: Path, attack: str
) -> None:
    store = tmp_path / "above" / "store"
    store.mkdir(parents=True)
    if attack == "mode":
        store.chmod(0o1777)
    else:
        os.chown(store if attack == "owner" else store.parent, STRANGER, -1)
    with pytest.raises(PermissionError, match="name a folder of your own as"):
        Layout(store).prepare()
    assert list(store.iterdir()) == []


def test_what_is_renamed_while_a_folder_is_opened_for_others_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "store" / "bundle"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "module.py").touch(0o600)
    (folder / "drafted.pyc.1").touch(0o600)

    def listed(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        """What Python's own compiling does between a look at the folder and one at its file."""
        for found in walk(top):
            (folder / "drafted.pyc.1").rename(folder / "drafted.pyc")
            yield found

    walk = os.walk
    monkeypatch.setattr(os, "walk", listed)
    open_for_reading(folder, tmp_path)
    assert stat.S_IMODE((folder / "module.py").stat().st_mode) == 0o644
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
