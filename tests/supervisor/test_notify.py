"""What a service manager is told, over a real datagram socket."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon import systemd


@pytest.fixture
def manager(tmp_path: Path) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "notify"))
    receiver.settimeout(60)
    return receiver


def test_readiness_life_and_the_end_are_announced(manager: socket.socket, tmp_path: Path) -> None:
    with manager:
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"}
        notifier = systemd.Notifier(environ)
        notifier.ready()
        notifier.status("3 locations")
        notifier.status("3 locations")
        notifier.alive()
        notifier.is_building = True
        notifier.alive()
        notifier.stopping(70)
        told = [manager.recv(100).decode() for _ in range(7)]
    assert told == [
        "READY=1",
        "STATUS=3 locations",
        *("WATCHDOG=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=45000000"),
        *("STOPPING=1", "EXTEND_TIMEOUT_USEC=70000000"),
    ]


def test_promise_27_a_reload_says_when_it_began(manager: socket.socket, tmp_path: Path) -> None:
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    with manager:
        systemd.Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).reloading()
        word, _, since = manager.recv(100).decode().partition("\nMONOTONIC_USEC=")
    assert word == "RELOADING=1"
    assert before - 0.001 <= int(since) / 1e6 <= time.clock_gettime(time.CLOCK_MONOTONIC)


def test_promise_27_a_status_is_not_worth_waiting_for(
    manager: socket.socket, tmp_path: Path
) -> None:
    """A manager that takes nothing gets the newest one when it does."""
    notifier = systemd.Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    with manager:
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for number in range(5_000):
            notifier.status(f"{number} locations")
        manager.settimeout(0)
        with pytest.raises(BlockingIOError):
            _ = [manager.recv(100) for _ in range(5_000)]
        notifier.status("the last")
        assert manager.recv(100) == b"STATUS=the last"


def document(state: str, *problems: tuple[str, float, str]) -> Any:
    """A document of `status` with these locations: name, time and summary of the problem."""
    entries = [
        {"name": name, "state": "failed", "problem": {"at": at, "summary": summary}}
        for name, at, summary in problems
    ]
    config = {"state": state, "problem": "c.toml:1: unknown key\nc.toml:2: another"}
    fine = {"name": "fine", "state": "serving", "problem": None}
    return {"daemon": {"config": config}, "locations": [fine, *entries]}


def test_promise_27_the_status_has_the_counts_and_what_went_wrong_last() -> None:
    assert systemd.told(document("applied")) == "1 location: 1 serving"
    both = ("b", 2.0, "KeyError: 'X'\nSTOPPING=1"), ("a", 1.0, "earlier")
    assert systemd.told(document("changed", *both)) == (
        "3 locations: 2 failed, 1 serving; b: KeyError: 'X' STOPPING=1"
    )
    assert systemd.told(document("invalid", *both)).endswith(
        "1 serving; the config is not applied: c.toml:1: unknown key"
    )
    assert len(systemd.told(document("applied", ("a", 1.0, "x" * 999)))) == systemd.LONGEST


def test_promise_27_a_status_of_any_characters_can_be_told(
    manager: socket.socket, tmp_path: Path
) -> None:
    with manager:
        systemd.Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).status("a \udcff")
        assert manager.recv(100) == b"STATUS=a ?"


def test_without_a_manager_nothing_happens() -> None:
    notifier = systemd.Notifier({})
    notifier.ready()
    assert notifier.watchdog_interval is None


def test_signs_of_life_come_twice_as_often_as_they_must() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert systemd.Notifier(environ).watchdog_interval == 15.0


def test_a_watchdog_meant_for_another_process_is_not_ours() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    assert systemd.Notifier(environ).watchdog_interval is None


def test_the_managers_variables_are_not_inherited_by_runners() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1", "LISTEN_PID": "1"}
    systemd.Notifier(environ)
    assert systemd.passed_socket(environ) is None
    assert environ == {}


def test_a_manager_that_reads_nothing_holds_up_no_daemon(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "PATIENCE", 0.01)
    notifier = systemd.Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    with manager:
        for number in range(5_000):
            notifier.status(f"{number} locations")
        notifier.alive()
        notifier.ready()
        manager.recv(100)
        notifier.ready()
        manager.settimeout(0)
        told = list(received(manager))
    assert told[-1] == b"READY=1", "it is not given up"


def received(manager: socket.socket) -> Iterator[bytes]:
    """All that has come."""
    with contextlib.suppress(BlockingIOError):
        while True:
            yield manager.recv(100)
