"""A page of a real daemon, as its server process serves it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from codelocd_ui.static_files import FOLDER, SHELL, TYPES

from tests.end_to_end.daemons import Dev

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DEADLINE = 60.0
ASSETS = """\
from codeloc import Definitions, asset

@asset(group="raw", kinds={"csv"})
def orders(): ...

@asset(deps=["orders"])
def paid(): ...

defs = Definitions(assets=[orders, paid])
"""


@dataclass
class Answer:
    """What the page's server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ServedPage:
    """A page's process, and a browser's part in talking to it."""

    process: subprocess.Popen[str]
    url: str
    token: str
    daemon: Dev
    cookie: str = ""
    half: str = ""
    socket: Path | None = None
    sent: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """As the page's own scripts ask; a header that is None is left out."""
        asked: dict[str, str | None] = {
            "Host": self.host,
            "Cookie": self.cookie,
            "X-Codelocd": self.half,
            **({"Origin": f"http://{self.host}"} if method == "POST" else {}),
            **({"Content-Type": "application/json"} if body is not None else {}),
            **(headers or {}),
        }
        connection = http.client.HTTPConnection(self.host, timeout=DEADLINE)
        try:
            if self.socket is not None:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(DEADLINE)
                connection.sock.connect(str(self.socket))
            text = body if isinstance(body, str) or body is None else json.dumps(body)
            given = {name: value for name, value in asked.items() if value}
            connection.request(method, f"{urlsplit(self.url).path.rstrip('/')}{path}", text, given)
            response = connection.getresponse()
            headers_got = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers_got, response.read())
        finally:
            connection.close()

    def log_in(self) -> None:
        answer = self.request("POST", "/api/login", {"token": self.token})
        assert answer.status == 200, answer.body
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        self.half = answer.json()["half"]
        self.until_live()

    def until_live(self) -> None:
        """Until the page has heard of its daemon."""
        end = time.monotonic() + DEADLINE
        while self.request("GET", "/api/status").status == 503:
            assert time.monotonic() < end, "the page does not reach its daemon"

    def ask(self, method: str, **params: Any) -> Any:
        answer = self.request("GET", f"/api/{method}?q={quote(json.dumps(params))}")
        assert answer.status == 200, answer.body
        return answer.json()

    def shell(self) -> bytes:
        return gzip.decompress(self.request("GET", "/").body)

    def every_file(self) -> None:
        """Each file that the shell names, and each that is in the folder, is there."""
        version = self.shell().decode().partition("static/")[2].partition("/")[0]
        for file in FOLDER.rglob("*"):
            name = file.relative_to(FOLDER).as_posix()
            if file.suffix in TYPES and name != SHELL:
                assert self.request("GET", f"/static/{version}/{name}").status == 200, name

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()


def at_socket(where: Path, daemon: Dev) -> ServedPage:
    """A page that listens at a Unix socket, for those whom a proxy lets through."""
    ended = subprocess.Popen(["true"], text=True)
    return ServedPage(ended, "http://page/", "", daemon, socket=where)


def serve(
    daemon: Dev,
    folder: Path,
    *arguments: str,
    socket: Path | None = None,
    daemon_socket: str | None = None,
    program: tuple[str, ...] = (sys.executable, "-m", "codelocd_ui"),
) -> ServedPage:
    """Start the page's process; it has printed its link when this returns. `socket`: where it
    listens instead of a port; `daemon_socket`: instead of the control socket."""
    process = subprocess.Popen(
        [
            *(*program, "--daemon", daemon_socket or daemon.socket),
            *("--folder", str(folder), "--name", "shop"),
            *(("--port", "0") if socket is None else ()),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"},
    )
    assert process.stdout is not None
    url, _, token = process.stdout.readline().strip().partition("#")
    if socket is not None:
        assert url.startswith("listening at")
        return ServedPage(process, "http://page/", token, daemon, socket=socket)
    assert token, "the page printed no link"
    return ServedPage(process, url, token, daemon)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A daemon with one location, `shop`, that serves."""
    home = tmp_path_factory.mktemp("page")
    project = home / "project"
    project.mkdir()
    (project / "definitions.py").write_text(ASSETS)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "definitions.py"\n')
    started = Dev(project, home / "home", ())
    try:
        started.until_serving("shop")
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def page(daemon: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    """Its page; logged in."""
    served = serve(daemon, tmp_path_factory.mktemp("secret"))
    try:
        served.log_in()
        yield served
    finally:
        served.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with the module: no asynchronous test can run beside Playwright's loop."""
    from tests.ui.browser import launched

    with launched() as made:
        yield made
