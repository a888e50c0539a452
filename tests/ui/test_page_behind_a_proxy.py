"""The page below a prefix of nginx, which reaches it by a port or by a Unix socket."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.end_to_end.daemons import Dev, wait_for
from tests.ui.browser import NEEDS_BROWSER, Shown
from tests.ui.conftest import DEADLINE, ServedPage, serve

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

CONFIG = """\
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location /x/y/ {{
      proxy_pass {page};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(folder: Path, port: int, page: str) -> Iterator[None]:
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, page=page))
    process = subprocess.Popen([str(NGINX), "-c", str(config), "-p", str(folder)])
    try:
        wait_for(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


@pytest.fixture(params=["a port", "a Unix socket"])
def proxied(daemon: Dev, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServedPage]:
    """The page as a browser reaches it: by the proxy's port, below `/x/y/`."""
    port, where = free_port(), tmp_path / "page.sock"
    by_socket = request.param == "a Unix socket"
    arguments = ("--socket", str(where)) if by_socket else ("--allowed-host", f"127.0.0.1:{port}")
    served = serve(daemon, tmp_path / "secret", *arguments, socket=where if by_socket else None)
    behind = f"http://unix:{where}:/" if by_socket else served.url
    token = served.token.removesuffix("'")
    try:
        with nginx(tmp_path, port, behind):
            yield ServedPage(served.process, f"http://127.0.0.1:{port}/x/y/", token, daemon)
    finally:
        served.end()


def test_everything_works_below_a_prefix_that_the_page_does_not_know(proxied: ServedPage) -> None:
    proxied.log_in()
    assert proxied.ask("status")["locations"][0]["name"] == "shop"
    order = {"order": "reload", "locations": ["shop"]}
    assert proxied.request("POST", "/api/orders", order).status == 200
    proxied.every_file()
    with connect(
        f"ws://{proxied.host}/x/y/api/socket",
        additional_headers={"Cookie": proxied.cookie},
        origin=Origin(f"http://{proxied.host}"),
        open_timeout=DEADLINE,
        proxy=None,
    ) as tab:
        tab.send(json.dumps({"half": proxied.half}))
        assert json.loads(tab.recv(timeout=DEADLINE))["type"] == "page"
    assert proxied.request("GET", "/api/status", headers={"Cookie": None}).status == 401


class Elsewhere(BaseHTTPRequestHandler):
    """Another site, whose page has a link."""

    link = ""

    def do_GET(self) -> None:
        body = f'<a href="{self.link}">there</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def another_site(link: str) -> Iterator[str]:
    handler = type("Linking", (Elsewhere,), {"link": link})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join(DEADLINE)
        server.server_close()


@NEEDS_BROWSER
def test_a_deep_link_of_another_site_leads_to_the_page_that_is_logged_in(
    browser: Any, proxied: ServedPage
) -> None:
    shown = Shown(browser, proxied)
    shown.until("Everything is serving")
    with another_site(f"{proxied.url}#/location/shop/definitions") as elsewhere:
        shown.tab.goto(elsewhere)
        shown.tab.get_by_text("there").click()
        shown.until("paid")
    shown.close()
