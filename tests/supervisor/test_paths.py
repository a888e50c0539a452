"""Where one daemon keeps what it has."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from codelocd.model import DaemonSettings
from codelocd.storage import sockets
from codelocd.storage.paths import DaemonPaths, Kind, UnsafeFolder, daemon_paths

OTHER_GROUP = 12345
HOME = {"HOME": "/home/ann"}
RUNTIME = {**HOME, "XDG_RUNTIME_DIR": "/run/user/7"}


def paths(
    kind: Kind,
    environ: dict[str, str],
    project: str | None = None,
    settings: DaemonSettings | None = None,
) -> DaemonPaths:
    return daemon_paths(
        kind,
        settings or DaemonSettings(),
        project=Path(project) if project else None,
        environ=environ,
        uid=7,
        is_folder=lambda _: False,
    )


def test_a_dev_daemon_is_named_after_its_folder_and_unlike_any_other() -> None:
    one, other = paths("dev", RUNTIME, "/a/shop"), paths("dev", RUNTIME, "/b/shop")
    assert one.instance.startswith("shop-")
    assert one.instance != other.instance
    assert one.socket == Path("/run/user/7/codelocd", one.instance, "control.sock")
    assert one.state_dir == Path("/home/ann/.local/state/codelocd/daemons", one.instance)
    assert one.store == other.store == Path("/home/ann/.local/share/codelocd")


def test_a_service_of_a_user_listens_beside_the_dev_daemons() -> None:
    found = paths("user", RUNTIME)
    assert found.socket == Path("/run/user/7/codelocd/control.sock")
    assert found.store == Path("/home/ann/.local/share/codelocd")


def test_the_service_of_a_system_keeps_everything_in_var_lib() -> None:
    found = paths("system", HOME)
    assert found.socket == Path("/run/codelocd/control.sock")
    assert found.state_dir == Path("/var/lib/codelocd")
    assert found.store == Path("/var/lib/codelocd/store")


def test_a_service_manager_says_where_state_and_sockets_go() -> None:
    given = {"RUNTIME_DIRECTORY": "/run/x:/run/y", "STATE_DIRECTORY": "/var/lib/x"}
    found = paths("system", {**HOME, **given})
    assert found.socket == Path("/run/x/control.sock")
    assert found.state_dir == Path("/var/lib/x")
    assert found.store == Path("/var/lib/x/store")
    assert paths("dev", {**RUNTIME, **given}, "/a").state_dir.is_relative_to("/home/ann")


def test_the_xdg_variables_move_state_and_store() -> None:
    given = {"XDG_STATE_HOME": "/s", "XDG_DATA_HOME": "/d", "XDG_RUNTIME_DIR": "relative"}
    found = paths("dev", {**HOME, **given}, "/a")
    assert found.state_dir == Path("/s/codelocd/daemons", found.instance)
    assert found.store == Path("/d/codelocd")
    assert found.socket.is_relative_to("/tmp/codelocd-7")


def test_the_settings_of_a_config_win() -> None:
    settings = DaemonSettings(Path("/my/state"), Path("/my/store"), Path("/my/sock"))
    found = paths("dev", RUNTIME, "/a", settings)
    assert (found.state_dir, found.store) == (Path("/my/state"), Path("/my/store"))
    assert found.socket == Path("/my/sock")
    assert found.runtime_dir.is_relative_to("/run/user/7/codelocd")


def test_daemons_with_different_states_have_different_folders_of_runners() -> None:
    def folder(state: str | None) -> Path:
        settings = DaemonSettings(Path(state) if state else None)
        return paths("user", RUNTIME, settings=settings).runtime_dir

    assert folder(None) == Path("/run/user/7/codelocd/runners")
    one, other = folder("/a/state"), folder("/b/state")
    assert one != other
    assert one.parent == other.parent == folder(None).parent
    assert len(one.name) == len("runners-01234567")
    assert folder("/a/x/../state/") == one
    assert folder("state") == folder(str(Path.cwd() / "state"))


@pytest.mark.parametrize(
    ("environ", "folders", "expected"),
    [
        ({"XDG_RUNTIME_DIR": "/x"}, ["/run/user/7"], "/x"),
        ({}, ["/run/user/7"], "/run/user/7"),
        ({}, [], "/tmp/codelocd-7"),
        ({"TMPDIR": "/var/tmp"}, [], "/var/tmp/codelocd-7"),
    ],
)
def test_the_runtime_folder_is_the_first_there_is(
    environ: dict[str, str], folders: list[str], expected: str
) -> None:
    assert sockets.runtime_folder(environ, 7, folders.__contains__) == expected


@pytest.mark.parametrize("name", ["/", "/a b/ü", "/x/" + "y" * 200, "/x/../y"])
def test_an_instance_is_a_short_name_for_a_file_whatever_the_folder_is_called(name: str) -> None:
    found = sockets.instance(name)
    assert found.isascii()
    assert "/" not in found
    assert 9 < len(found) <= 50


def in_folder(tmp_path: Path) -> DaemonPaths:
    return daemon_paths(
        "dev",
        DaemonSettings(),
        project=Path("/a/shop"),
        environ={"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)},
        uid=os.getuid(),
    )


def moved(found: DaemonPaths, what: str, to: Path) -> DaemonPaths:
    return replace(found, state_dir=to) if what == "state_dir" else replace(found, store=to)


def test_folders_of_sockets_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    found.make_folders(os.getuid())
    made = [found.socket.parent, *list(found.socket.parents)[1:3], found.runtime_dir]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 4
    assert found.state_dir.is_dir()


def test_whom_a_group_lets_in_can_get_to_the_socket(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    found.make_folders(os.getuid(), shared=True)
    made = [found.socket.parent, *list(found.socket.parents)[1:3]]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o711] * 3


def test_nothing_is_made_for_others_whatever_the_umask(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    before = os.umask(0)
    try:
        found.make_folders(os.getuid())
    finally:
        os.umask(before)
    made = [each for each in tmp_path.rglob("*") if each.is_dir()]
    assert found.state_dir in made
    assert {each.stat().st_mode & 0o777 for each in made} == {0o700}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a link of another user")
def test_a_link_of_somebody_else_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(own)
    os.lchown(tmp_path / "run", 12345, -1)
    with pytest.raises(UnsafeFolder, match="belongs to user 12345"):
        found.make_folders(0)
    assert list(own.iterdir()) == []
    os.lchown(tmp_path / "run", 0, -1)
    found.make_folders(0)
    assert found.socket.parent.is_dir()


def test_nothing_is_made_where_others_can_write(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(UnsafeFolder, match="others can write to"):
        found.make_folders(os.getuid())
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    found.socket.parent.mkdir(parents=True)
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(UnsafeFolder, match=r"others can write to .*; a socket there"):
        found.make_folders(os.getuid())


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    found = in_folder(tmp_path)
    if os.getuid() == 0:
        (tmp_path / "run").mkdir()
        os.chown(tmp_path / "run", 12345, -1)
        expected, uid = "belongs to user 12345", 0
    else:
        expected, uid = f"belongs to user {os.getuid()}", os.getuid() + 1
    with pytest.raises(UnsafeFolder, match=expected):
        found.make_folders(uid)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user")
@pytest.mark.parametrize("what", ["state_dir", "store"])
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path, what: str) -> None:
    """Who owns it decides which definitions are listed, and which environments are run."""
    found = moved(in_folder(tmp_path), what, tmp_path / "var" / "mine")
    (tmp_path / "var" / "mine").mkdir(parents=True)
    for owned in (tmp_path / "var" / "mine", tmp_path / "var"):
        os.chown(owned, 12345, -1)
        with pytest.raises(UnsafeFolder, match="belongs to user 12345"):
            found.make_folders(0)
        os.chown(owned, 0, -1)
    found.make_folders(0)


@pytest.mark.parametrize("what", ["state_dir", "store"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_state_folder_that_others_can_write_to_is_refused(
    tmp_path: Path, what: str, mode: int
) -> None:
    found = moved(in_folder(tmp_path), what, tmp_path / "mine")
    (tmp_path / "mine").mkdir(mode=0o700)
    os.chown(tmp_path / "mine", -1, OTHER_GROUP if os.getuid() == 0 else -1)
    (tmp_path / "mine").chmod(mode)
    if mode == 0o770 and os.getuid() != 0:
        pytest.skip("only root can give a folder to another group")
    with pytest.raises(UnsafeFolder, match="can write to"):
        found.make_folders(os.getuid())
    assert list((tmp_path / "mine").iterdir()) == []
