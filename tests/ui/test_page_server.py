"""What the page's server tells a tab that is logged in."""

from __future__ import annotations

import gzip
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from codelocd_ui.__main__ import main
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.end_to_end.daemons import Dev
from tests.ui.conftest import ASSETS, DEADLINE, ServedPage, serve


@pytest.fixture
def tab(page: ServedPage) -> Iterator[ClientConnection]:
    with opened(page) as socket:
        yield socket


@contextmanager
def opened(page: ServedPage) -> Iterator[ClientConnection]:
    with connect(
        f"ws://{page.host}/api/socket",
        additional_headers={"Cookie": page.cookie},
        origin=Origin(page.url.rstrip("/")),
        open_timeout=DEADLINE,
        proxy=None,
    ) as socket:
        socket.send(json.dumps({"half": page.half}))
        yield socket


def until(socket: ClientConnection, holds: Callable[[Any], bool]) -> Any:
    """The first message of which `holds` is true."""
    while True:
        message = json.loads(socket.recv(timeout=DEADLINE))
        if holds(message):
            return message


def test_a_tab_begins_with_the_whole_state(tab: ClientConnection) -> None:
    assert until(tab, lambda one: one["type"] == "page")["name"] == "shop"
    state = until(tab, lambda one: one["type"] == "state" and one["gone"] is None)
    assert [each["name"] for each in state["locations"]] == ["shop"]
    assert state["definitions"] == 2


def test_a_tab_that_is_opened_later_is_told_how_long_a_location_is_up_by_then(
    page: ServedPage,
) -> None:
    def told() -> float:
        with opened(page) as socket:
            state = until(socket, lambda message: message["type"] == "state")
        return float(state["locations"][0]["uptime"])

    first, end = told(), time.monotonic() + DEADLINE
    while told() < first + 0.5:
        assert time.monotonic() < end, "the uptime stands still"


def test_a_save_tells_each_tab_what_changed_and_where_its_time_went(
    page: ServedPage, tab: ClientConnection
) -> None:
    until(tab, lambda one: one["type"] == "state" and one["gone"] is None)
    source = page.daemon.project / "definitions.py"
    source.write_text(
        ASSETS.replace("defs =", "@asset\ndef late(): ...\n\ndefs =").replace(
            "[orders, paid]", "[orders, paid, late]"
        )
    )
    news = until(tab, lambda one: one["type"] == "definitions" and one["added"])
    assert [row[3] for row in news["added"]] == ["late"]
    assert news["timing"]["total"] > 0
    source.write_text(ASSETS)
    until(tab, lambda one: one["type"] == "definitions" and one["removed"])


def test_the_registry_is_sent_once_for_each_version(page: ServedPage) -> None:
    answer = page.request("GET", "/api/registry")
    rows = json.loads(gzip.decompress(answer.body))["rows"]
    paid = next(row for row in rows if row[3] == "paid")
    name: list[object] = ["shop", "__repository__", "asset", "paid"]
    assert paid == [*name, "default", [], ["orders"], "", [], []]
    again = page.request("GET", "/api/registry", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_an_order_is_carried_out_and_answered(page: ServedPage) -> None:
    answer = page.request("POST", "/api/orders", {"order": "reload", "locations": ["shop"]})
    assert answer.json()["locations"][0]["ok"]
    unknown = page.request("POST", "/api/orders", {"order": "reload", "locations": ["shp"]})
    assert unknown.status == 404
    assert 'did you mean "shop"' in unknown.json()["error"]["message"]


def test_output_comes_in_batches_to_who_looks_at_it(
    page: ServedPage, tab: ClientConnection
) -> None:
    source = page.daemon.project / "definitions.py"
    tab.send(json.dumps({"output": ["shop"]}))
    source.write_text(f"print('one\\x1b[31m two')\n{ASSETS}")
    batch = until(tab, lambda one: one["type"] == "output" and one["lines"])
    assert batch["lines"][0][2:5] == ["shop", "stdout", "one\x1b[31m two"]
    source.write_text(ASSETS)


def test_memory_is_told_while_a_tab_shows_it(page: ServedPage, tab: ClientConnection) -> None:
    tab.send(json.dumps({"usage": True}))
    usage = until(tab, lambda one: one["type"] == "usage")
    assert list(usage["locations"]) == ["shop"]


def test_files_have_an_address_that_changes_with_them(page: ServedPage) -> None:
    shell = gzip.decompress(page.request("GET", "/").body).decode()
    addresses = [
        piece.partition('"')[0] for piece in shell.split('="')[1:] if piece.startswith("static/")
    ]
    assert addresses
    for address in addresses:
        answer = page.request("GET", f"/{address}")
        assert answer.status == 200, address
        assert "immutable" in answer.headers["cache-control"]
    assert page.request("GET", "/static/older/app/main.js").status == 404
    assert page.request("GET", "/static/x/..%2f..%2f__main__.py").status == 404


def test_the_page_stays_while_the_daemon_goes_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("back")
    project = home / "project"
    project.mkdir()
    (project / "definitions.py").write_text(ASSETS)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "definitions.py"\n')
    first = Dev(project, home / "home", ())
    first.until_serving("shop")
    served = serve(first, home / "secret")
    second = None
    try:
        served.log_in()
        with opened(served) as socket:
            until(socket, lambda one: one["type"] == "state" and one["gone"] is None)
            first.stop()
            gone = until(socket, lambda one: one["type"] == "gone")
            assert gone["why"] == "it was asked to end by SIGTERM"
            assert served.request("GET", "/api/status").status == 503
            second = Dev(project, home / "home", ())
            state = until(socket, lambda one: one["type"] == "state" and one["gone"] is None)
            assert [each["name"] for each in state["locations"]] == ["shop"]
            assert second.cli("shutdown").returncode == 0
            gone = until(socket, lambda one: one["type"] == "gone")
            assert gone["why"] == "it was asked to end by `codelocd shutdown`"
    finally:
        served.end()
        for each in (first, second):
            if each is not None:
                each.stop()


@pytest.mark.slow
def test_a_daemon_that_hangs_is_gone_and_back_without_a_new_tab(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("hangs")
    project = home / "project"
    project.mkdir()
    (project / "definitions.py").write_text(ASSETS)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "definitions.py"\n')
    hangs = Dev(project, home / "home", ())
    hangs.until_serving("shop")
    served = serve(hangs, home / "secret")
    try:
        served.log_in()
        with opened(served) as socket:
            until(socket, lambda one: one["type"] == "state" and one["gone"] is None)
            hangs.process.send_signal(signal.SIGSTOP)
            until(socket, lambda one: one["type"] == "gone")
            hangs.process.send_signal(signal.SIGCONT)
            until(socket, lambda one: one["type"] == "state" and one["gone"] is None)
            hangs.process.kill()
            until(socket, lambda one: one["type"] == "gone")
    finally:
        served.end()
        hangs.process.send_signal(signal.SIGCONT)
        hangs.stop()


def test_the_secret_is_its_owners_alone_and_no_link_is_followed(
    daemon: Dev, tmp_path: Path
) -> None:
    served = serve(daemon, tmp_path / "secret")
    served.end()
    assert (tmp_path / "secret" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o700


def test_the_link_that_is_asked_for_is_of_a_page_that_runs(
    daemon: Dev, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--daemon", daemon.socket, "--folder", str(tmp_path / "ui"), "--url")
    first, second = (serve(daemon, tmp_path / "ui") for _ in range(2))
    where = tmp_path / "page.sock"
    proxied = serve(daemon, tmp_path / "ui", "--socket", str(where), socket=where)
    for page in (proxied, second, first):
        assert main(asked) == 0
        link = capsys.readouterr().out.strip()
        assert link.endswith(f"#{first.token}")
        assert link.startswith(f"listening at {page.socket}" if page is proxied else page.url)
        page.end()
    assert main(asked) == 1


def test_dev_serves_the_page_and_starts_it_again(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "definitions.py").write_text(ASSETS)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "definitions.py"\n')
    dev = Dev(project, tmp_path / "home", ("--ui",))
    try:
        link = dev.until_printed("page: http").partition("page: ")[2]
        assert dev.cli("ui", "--url").stdout.strip() == link
        served = psutil.Process(dev.process.pid)
        (page,) = [one for one in served.children() if "codelocd_ui" in " ".join(one.cmdline())]
        page.kill()
        before = len(dev.printed)
        assert dev.until_printed("page: http", after=before).endswith(link.partition("#")[2])
    finally:
        dev.stop()
    assert not page.is_running()
