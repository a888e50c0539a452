"""Which daemon a command means."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.which import (
    Asked,
    DaemonAddress,
    asked_in,
    is_project,
    own_socket,
    own_sockets,
    which,
)
from codelocd.config import discover
from codelocd.config.discovery import FILE_OF, TOOLS, ConfigKind
from codelocd.core.config_files import PYPROJECT
from codelocd.storage import sockets
from tests.supervisor.cli.fake_control import LOCATION, FakeDaemon, Shell, status_document

RUNTIME = "/run/user/7"
USER = f"{RUNTIME}/codelocd/control.sock"
SYSTEM = "/run/codelocd/control.sock"


def meant(
    asked: Asked | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    projects: tuple[str, ...] = (),
    sockets: tuple[str, ...] = (),
    own_socket: str | None = None,
) -> DaemonAddress:
    """The daemon meant in /home/ann/shop/sales."""
    return which(
        asked or Asked(),
        environ={"XDG_RUNTIME_DIR": RUNTIME, **(environ or {})},
        folder="/home/ann/shop/sales",
        uid=7,
        exists=sockets.__contains__,
        is_project=projects.__contains__,
        own_socket=lambda _: own_socket,
    )


def dev(folder: str) -> str:
    return sockets.control(sockets.dev_folder(folder, RUNTIME))


def test_the_socket_of_the_command_line_comes_before_everything() -> None:
    found = meant(
        Asked(socket="x.sock"), environ={"CODELOCD_SOCKET": "/y"}, projects=("/home/ann/shop",)
    )
    assert found.socket == "/home/ann/shop/sales/x.sock"
    assert found.project is None


def test_the_variable_comes_before_the_project() -> None:
    found = meant(environ={"CODELOCD_SOCKET": "/y"}, projects=("/home/ann/shop",))
    assert found.socket == "/y"


@pytest.mark.parametrize(("service", "socket"), [("user", USER), ("system", SYSTEM)])
def test_user_and_system_reach_the_services_from_everywhere(service: Any, socket: str) -> None:
    found = meant(
        Asked(service=service), environ={"CODELOCD_SOCKET": "/y"}, projects=("/home/ann/shop",)
    )
    assert found.socket == socket


def unreachable(found: DaemonAddress) -> str:
    return str(found.unreachable(f"there is no socket at {found.socket}", "absent"))


def test_where_the_users_daemon_does_not_run_what_runs_instead_is_named() -> None:
    nothing = f"there is no socket at {USER}; "
    assert unreachable(meant(Asked(service="user"))) == (
        f"{nothing}start one with `codelocd serve`, or name another with --socket PATH"
    )
    assert unreachable(meant(Asked(service="user"), sockets=(SYSTEM,))) == (
        f"{nothing}the system's daemon listens at {SYSTEM}: --system reaches it"
    )
    other = "/tmp/codelocd-7/codelocd/control.sock"
    found = meant(Asked(service="user"), sockets=(other,), environ={"TMPDIR": "/tmp"})
    assert unreachable(found) == (
        f"{nothing}one listens at {other}: set XDG_RUNTIME_DIR=/tmp/codelocd-7 to reach it"
    )
    here = meant(Asked(service="system"), sockets=(USER,))
    assert unreachable(here).endswith(f"the user's daemon listens at {USER}: --user reaches it")


def test_a_service_listens_where_its_usual_config_says(shell: Shell) -> None:
    folder = shell.folder.parent / ".config" / "codelocd"
    folder.mkdir(parents=True)
    (folder / "codelocd.toml").write_text('[daemon]\nsocket = "own.sock"\n')
    fake = FakeDaemon(folder / "own.sock")
    fake.answers["status"] = lambda _: status_document(LOCATION)
    try:
        assert shell.run("--user", "status").returncode == 0
        assert shell.run("status").returncode == 0
    finally:
        fake.close()


def test_inside_a_project_only_its_own_daemon_is_meant() -> None:
    found = meant(projects=("/home/ann/shop", "/home/ann"), sockets=(USER, SYSTEM))
    assert found.project == "/home/ann/shop"
    assert found.socket == dev("/home/ann/shop")


def test_the_socket_that_the_projects_config_names_is_meant() -> None:
    found = meant(projects=("/home/ann/shop",), own_socket="/home/ann/shop/s")
    assert found.socket == "/home/ann/shop/s"


def test_a_folder_where_a_dev_daemon_with_targets_listens_is_a_project() -> None:
    found = meant(sockets=(dev("/home/ann/shop/sales"), USER), projects=("/home/ann/shop",))
    assert found.project == "/home/ann/shop/sales"


def test_outside_of_projects_the_users_daemon_comes_before_the_systems() -> None:
    assert meant(sockets=(USER, SYSTEM)).socket == USER
    assert meant(sockets=(SYSTEM,)).socket == SYSTEM


def test_without_any_daemon_the_error_names_the_places() -> None:
    with pytest.raises(Failure, match=f"nothing listens at {USER} or {SYSTEM}") as caught:
        meant()
    assert caught.value.code == ExitCode.NO_DAEMON


@pytest.mark.parametrize("reason", ["denied", "silent", "lost"])
def test_a_daemon_that_is_there_but_does_not_answer_is_never_called_missing(reason: str) -> None:
    failure = meant(projects=("/home/ann/shop",)).unreachable("it is there", reason)
    assert str(failure).startswith("it is there; ")
    assert failure.code == ExitCode.NO_DAEMON


@pytest.mark.parametrize("kind", list(ConfigKind))
def test_a_folder_is_a_project_exactly_if_dev_finds_something_there(
    kind: ConfigKind, tmp_path: Path
) -> None:
    assert not is_project(str(tmp_path))
    table = next((f"[tool.{name}]\n" for name, each in TOOLS.items() if each is kind), "")
    (tmp_path / FILE_OF[kind]).write_text(table)
    assert is_project(str(tmp_path))
    assert discover(tmp_path) is not None


@pytest.mark.parametrize("text", ["", "[tool.ruff]", "# codelocd, dagster, dg", "broken = ["])
def test_a_pyproject_of_another_tool_is_no_project(text: str, tmp_path: Path) -> None:
    (tmp_path / PYPROJECT).write_text(text)
    assert not is_project(str(tmp_path))


def test_a_config_may_name_a_socket_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "codelocd.toml").write_text('[daemon]\nsocket = "run/../s.sock"\n')
    assert own_socket(str(tmp_path)) == f"{tmp_path}/s.sock"


@pytest.mark.parametrize("text", ["", "broken socket [", 'daemon = "socket"', "[daemon]\nsocket=1"])
def test_a_config_that_names_no_socket_leaves_the_usual_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "codelocd.toml").write_text(text)
    (tmp_path / PYPROJECT).write_text('[tool.codelocd.daemon]\nsocket = "/x"\n')
    assert own_socket(str(tmp_path)) == ("/x" if not text else None)


def test_no_daemon_in_a_project_is_exit_3_and_names_the_project(project: Shell) -> None:
    done = project.run("status")
    assert (done.returncode, done.stdout) == (3, "")
    sentence = f"no dev daemon for {project.folder}; --user or --system reach the others"
    assert done.stderr == f"codelocd: {sentence}\n"


def test_a_socket_without_a_listener_is_exit_3_and_never_skipped(shell: Shell) -> None:
    place = Path(sockets.control(sockets.user_folder(str(shell.runtime))))
    place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(place))
    done = shell.run("status")
    assert done.returncode == 3
    assert f"no daemon listens on the socket {place}" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root may connect to every socket")
def test_a_socket_that_may_not_be_used_is_exit_3_and_says_so(shell: Shell) -> None:
    place = shell.folder / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()
        place.chmod(0)
        done = shell.run("--socket", str(place), "status")
    assert done.returncode == 3
    assert "no permission to use the socket" in done.stderr


def test_a_command_reaches_the_daemon_of_its_project_from_below(
    project: Shell, daemon: FakeDaemon
) -> None:
    below = project.folder / "a" / "b"
    below.mkdir(parents=True)
    assert Shell(below, project.runtime).run("status").returncode == 0


def test_a_path_longer_than_an_address_works(shell: Shell) -> None:
    fake = FakeDaemon(shell.folder / ("x" * 100) / ("y" * 100) / "control.sock")
    fake.answers["status"] = lambda _: status_document(LOCATION)
    try:
        done = shell.run("status", environ={"CODELOCD_SOCKET": str(fake.socket)})
    finally:
        fake.close()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(
    os.getuid() != 0 or Path("/run/user/0").is_dir(),
    reason="needs root without a runtime folder, to make a fallback that belongs to another user",
)
def test_a_fallback_folder_of_somebody_else_is_not_trusted(shell: Shell) -> None:
    fallback = shell.folder / "codelocd-0"
    (fallback / "codelocd").mkdir(parents=True)
    (fallback / "codelocd" / "control.sock").touch()
    os.chown(fallback, 12345, -1)
    given = {"XDG_RUNTIME_DIR": "", "TMPDIR": str(shell.folder)}
    done = shell.run("status", "--user", environ=given)
    assert "belongs to user 12345, not to you" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("words", "environ"),
    [
        (["dev"], {}),
        (["serve", "-c", "x.toml"], {}),
        (["serve", "--system"], {}),
        (["--user", "serve"], {}),
        (["serve", "--socket", "x.sock"], {}),
        (["--socket=x.sock", "dev"], {}),
        (["dev"], {"CODELOCD_SOCKET": "/y"}),
    ],
)
def test_a_daemon_says_that_it_starts_where_commands_look_for_it(
    tmp_path: Path, words: list[str], environ: dict[str, str]
) -> None:
    (tmp_path / "codelocd.toml").touch()
    asked, folder = asked_in(words), str(tmp_path)
    given = {"XDG_RUNTIME_DIR": RUNTIME, **environ}
    command = "dev" if "dev" in words else "serve"
    told = own_sockets(command, words, environ=given, folder=folder, uid=7)
    if command == "serve" and asked.service is None and asked.socket is None:
        asked = Asked(service="user")
    found = which(asked, environ=given, folder=folder, uid=7, exists=told.__contains__)
    assert found.socket in told


def test_a_dev_daemon_of_targets_makes_its_folder_a_project_before_it_listens(
    tmp_path: Path,
) -> None:
    given, folder = {"XDG_RUNTIME_DIR": RUNTIME}, str(tmp_path)
    told = own_sockets("dev", ["dev"], environ=given, folder=folder, uid=7)
    found = which(Asked(), environ=given, folder=folder, uid=7, exists=told.__contains__)
    assert (found.project, found.socket) == (folder, dev(folder))


def test_a_service_says_that_it_starts_where_its_config_or_its_manager_has_it_listen(
    tmp_path: Path,
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "codelocd.toml").write_text('[daemon]\nsocket = "its.sock"\n')
    (tmp_path / "codelocd.toml").touch()
    given = {"XDG_RUNTIME_DIR": RUNTIME, "RUNTIME_DIRECTORY": "/run/of-unit:/run/other"}

    def told(*words: str) -> list[str]:
        return own_sockets("serve", words, environ=given, folder=str(tmp_path), uid=7)

    assert told("serve", "-c", "own/codelocd.toml") == [str(tmp_path / "own" / "its.sock")]
    assert told("serve", "--config=codelocd.toml") == ["/run/of-unit/control.sock"]
    assert told("serve") == ["/run/of-unit/control.sock"]
