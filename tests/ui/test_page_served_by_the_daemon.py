"""The page as the daemon serves it by its config: it is started again, and ends with the daemon."""

from __future__ import annotations

import grp
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from codelocd.client import Client, RpcError
from tests.end_to_end.daemons import CODELOCD, Dev, Service, wait_for
from tests.ui.conftest import ASSETS, at_socket, serve
from tests.ui.test_page_server import opened, until

HERE = grp.getgrgid(os.getegid()).gr_name


def project(folder: Path, config: str) -> Path:
    made = folder / "project"
    made.mkdir()
    (made / "definitions.py").write_text(ASSETS)
    location = '[location.shop]\npython_file = "definitions.py"\n'
    (made / "codelocd.toml").write_text(f"{config}\n{location}")
    return made


def page_of(daemon: Service, but: psutil.Process | None = None) -> psutil.Process:
    """The process of its page, once there is one, and another than `but`."""

    def found() -> list[psutil.Process]:
        children = psutil.Process(daemon.process.pid).children()
        return [one for one in children if one != but and "codelocd_ui" in one.cmdline()]

    return wait_for(found)[0]


@contextmanager
def service(folder: Path, config: str) -> Iterator[Service]:
    started = Service(project(folder, f'[daemon]\nlog_format = "json"\n{config}'), folder)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.stop()


def test_a_service_serves_the_page_and_its_log_does_not_have_the_link(tmp_path: Path) -> None:
    with service(tmp_path, "[ui]\nserve = true") as daemon:
        daemon.told(b"READY=1")
        found = page_of(daemon)
        found.kill()
        again = page_of(daemon, but=found)
        address = wait_for(lambda: [*(tmp_path / "state" / "ui").glob("*.address")])[0]
        wait_for(lambda: address.exists() and address.read_text().startswith(f"{again.pid} http"))
        done = subprocess.run(
            [CODELOCD, "ui", "--url"],
            env=daemon.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        token = done.stdout.strip().partition("#")[2]
        assert token
        daemon.process.kill()
        logged, _ = daemon.process.communicate(timeout=60)
        wait_for(lambda: not again.is_running() or again.status() == psutil.STATUS_ZOMBIE)
    assert "page: http://127.0.0.1:" in logged
    assert token not in logged


def test_the_daemon_does_not_wait_for_a_page_that_is_stopped(tmp_path: Path) -> None:
    with service(tmp_path, "[ui]\nserve = true") as daemon:
        daemon.told(b"READY=1")
        found = page_of(daemon)
        found.send_signal(signal.SIGSTOP)
        daemon.until_serving("shop")
        assert daemon.stop() == 0
    assert not found.is_running()


@pytest.fixture
def observed(tmp_path: Path) -> Iterator[Dev]:
    """A daemon with a second socket, on which every client only reads."""
    made = project(tmp_path, f'[daemon]\nobserve_group = "{HERE}"\n')
    daemon = Dev(made, tmp_path / "home", ())
    try:
        daemon.until_serving("shop")
        yield daemon
    finally:
        daemon.stop()


def test_on_the_second_socket_nobody_does_more_than_read(observed: Dev, tmp_path: Path) -> None:
    second = Path(observed.socket).with_name("observe.sock")
    assert second.stat().st_mode & 0o777 == 0o660
    assert second.group() == HERE
    with Client(second) as client:
        assert client.call("hello")["right"] == "read"
        assert client.call("status")["locations"][0]["name"] == "shop"
        for method in ("reload", "command", "call", "shutdown", "apply", "stacks"):
            with pytest.raises(RpcError, match="this socket only tells"):
                client.call(method)
    served = serve(observed, tmp_path / "secret", daemon_socket=str(second))
    try:
        served.log_in()
        assert served.ask("status")["locations"][0]["name"] == "shop"
        order = {"order": "reload", "locations": ["shop"]}
        assert served.request("POST", "/api/orders", order).status == 403
        with opened(served) as tab:
            told = until(tab, lambda one: one["type"] == "page")
            assert told["read_only"] is True
    finally:
        served.end()


AS_ANOTHER = """
import os, sys
import codelocd_ui.__main__ as page, codelocd_ui.server, uvicorn.protocols.http.h11_impl
import uvicorn.protocols.websockets.websockets_sansio_impl, uvicorn.lifespan.on
group, *arguments = sys.argv[1:]
os.setgroups([int(group)]); os.setgid(5001); os.setuid(5001)
sys.exit(page.main(arguments))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_member_of_socket_group_serves_a_page_that_reads() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "secret").mkdir(mode=0o700)
        os.chown(folder / "secret", 5001, 5001)
        control = folder / "control.sock"
        config = f'[daemon]\nsocket_group = "{HERE}"\nsocket = "{control}"\n'
        daemon = Dev(project(folder, config), folder / "home", ())
        program = (sys.executable, "-c", AS_ANOTHER, str(os.getegid()))
        served = serve(daemon, folder / "secret", "--foreign", program=program)
        try:
            daemon.until_serving("shop")
            served.log_in()
            assert psutil.Process(served.process.pid).uids().real == 5001
            assert served.ask("status")["locations"][0]["name"] == "shop"
            order = {"order": "stop", "locations": ["shop"]}
            assert served.request("POST", "/api/orders", order).status == 403
            assert daemon.entry("shop")["state"] == "serving"
        finally:
            served.end()
            daemon.stop()


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine gives no network namespace",
)
def test_a_daemon_and_its_page_need_no_network(tmp_path: Path) -> None:
    where = tmp_path / "page.sock"
    config = f'[ui]\nserve = true\nsocket = "{where}"\nauth = "proxy"'
    daemon = Dev(project(tmp_path, config), tmp_path / "home", (), within=("unshare", "-n"))
    try:
        daemon.until_serving("shop")
        daemon.until_printed(f"page: listening at {where}")
        page = at_socket(where, daemon)
        page.log_in()
        assert page.ask("status")["locations"][0]["name"] == "shop"
        page.every_file()
    finally:
        daemon.stop()
    assert not where.exists()


def test_who_reaches_a_socket_behind_a_login_is_logged_in_and_others_cannot_reach_it(
    daemon: Dev, tmp_path: Path
) -> None:
    where = tmp_path / "page.sock"
    arguments = ("--socket", str(where), "--socket-group", HERE, "--auth", "proxy")
    served = serve(daemon, tmp_path / "secret", *arguments, socket=where)
    try:
        assert where.stat().st_mode & 0o777 == 0o660
        assert b'data-login="proxy"' in served.shell()
        served.log_in()
        assert served.ask("status")["locations"][0]["name"] == "shop"
        wrong = {"Origin": "http://evil.example"}
        assert served.request("POST", "/api/login", {"token": ""}, wrong).status == 403
    finally:
        served.end()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "codelocd_ui", "--daemon", daemon.socket),
            *("--folder", str(tmp_path / "secret"), "--auth", "proxy"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs a socket" in done.stderr
