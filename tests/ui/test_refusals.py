"""Who is refused, and that a refusal holds no data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.end_to_end.daemons import Dev
from tests.ui.conftest import DEADLINE, ServedPage, serve

READS = (
    *("registry", "status", "show", "definitions", "logs", "events"),
    *("environments", "environment", "diff"),
    *("runs", "run_show", "run_logs", "schedules", "files"),
)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
WRONG: dict[str, tuple[Mapping[str, str | None], int]] = {
    "no cookie": ({"Cookie": None}, 401),
    "a cookie alone": ({"X-Codelocd": None}, 401),
    "a wrong cookie": ({"Cookie": "codelocd-1=x"}, 401),
    "a wrong second half": ({"X-Codelocd": "x"}, 401),
    "another name of the machine": ({"Host": "evil.example"}, 421),
    "another port's page": ({"Origin": "http://127.0.0.1:1"}, 403),
    "another site": ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
    "a link from another site": (
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        403,
    ),
}
ORDER = {"order": "reload", "locations": ["shop"]}
RUN_ORDERS: tuple[dict[str, Any], ...] = (
    {"order": "run", "params": {"location": "shop", "names": ["paid"]}},
    {"order": "run_cancel", "params": {"id": 1}},
    {"order": "run_retry", "params": {"id": 1}},
    {"order": "schedule_set", "params": {"location": "shop", "name": "x", "enabled": True}},
)


@pytest.mark.parametrize("what", WRONG)
def test_no_address_with_data_answers_who_is_not_logged_in_here(
    page: ServedPage, what: str
) -> None:
    headers, status = WRONG[what]
    for method in READS:
        answer = page.request("GET", f"/api/{method}", headers=headers)
        assert (answer.status, list(answer.json())) == (status, ["error"]), method
    for each in (ORDER, *RUN_ORDERS):
        order = page.request("POST", "/api/orders", each, headers)
        assert (order.status, list(order.json())) == (status, ["error"])


BY_MESSAGE = ("a cookie alone", "a wrong second half")
"""A socket proves its second half by its first message; that is tried below."""


@pytest.mark.parametrize("what", [each for each in WRONG if each not in BY_MESSAGE])
def test_no_socket_opens_for_who_is_not_logged_in_here(page: ServedPage, what: str) -> None:
    headers, _ = WRONG[what]
    asked = {**UPGRADE, "Origin": page.url.rstrip("/"), **headers}
    answer = page.request("GET", "/api/socket", headers=asked)
    assert (answer.status, answer.body) == (403, b"")


@pytest.mark.parametrize("what", [each for each in WRONG if WRONG[each][1] != 401])
def test_the_link_logs_in_from_the_page_itself_alone(page: ServedPage, what: str) -> None:
    headers, status = WRONG[what]
    answer = page.request("POST", "/api/login", {"token": page.token}, headers)
    assert (answer.status, list(answer.json())) == (status, ["error"])
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_no_other_method_does_anything(page: ServedPage, method: str) -> None:
    for path in ("/api/orders", "/api/login", "/api/status"):
        answer = page.request(method, path, ORDER)
        assert answer.status in (404, 405) or (method, path) == ("HEAD", "/api/status"), path
        assert b"shop" not in answer.body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": None}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_an_order_comes_from_the_page_itself_and_as_json(
    page: ServedPage, headers: Mapping[str, str | None], status: int
) -> None:
    for each in (ORDER, *RUN_ORDERS):
        assert page.request("POST", "/api/orders", each, headers).status == status


def test_no_address_changes_anything_by_get(page: ServedPage) -> None:
    for path in ("/api/orders", "/api/login"):
        assert page.request("GET", path).status in (404, 405)


@pytest.mark.parametrize("method", ["command", "call", "apply", "shutdown", "upgrade", "reload"])
def test_what_the_page_has_no_business_with_is_not_there(page: ServedPage, method: str) -> None:
    assert page.request("GET", f"/api/{method}").status == 404
    body = {"order": method if method != "reload" else "shutdown", "locations": ["shop"]}
    assert page.request("POST", "/api/orders", body).status == 400


def test_json_that_no_page_sends_is_refused(page: ServedPage) -> None:
    deep = "[" * 60000
    assert page.request("POST", "/api/login", deep).status == 403
    orders: list[Any] = [{"order": ["start"], "locations": ["shop"]}, {"order": {}}, deep]
    for order in orders:
        assert page.request("POST", "/api/orders", order).status == 400, order
    wrong: tuple[Any, ...] = (None, [], {"id": 1, "by": {"kind": "cli"}}, {"wait": True})
    for params in wrong:
        body = {"order": "run_cancel", "params": params}
        assert page.request("POST", "/api/orders", body).status == 400, params
    for asked in ("[" * 9000, '{"a":' * 9000, '{"lines": 99999999999999999999999}'):
        assert page.request("GET", f"/api/logs?q={quote(asked)}").status == 400, asked[:9]


def test_a_body_that_is_too_long_is_not_read(page: ServedPage) -> None:
    body = json.dumps({**ORDER, "more": "x" * 65536})
    assert page.request("POST", "/api/orders", body).status == 413


def test_the_shell_needs_no_login_and_holds_no_data(page: ServedPage) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Cookie": None}
    answer = page.request("GET", "/", headers={**link, "X-Codelocd": None})
    assert answer.status == 200
    assert b"shop" not in answer.body
    assert page.request("GET", "/", headers={"Host": "evil.example"}).status == 421


def test_every_answer_has_the_policy(page: ServedPage) -> None:
    for path in ("/", "/api/status", "/api/nothing", "/static/x/y"):
        headers = page.request("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "http://evil.example", None])
def test_a_socket_needs_the_page_as_its_origin(page: ServedPage, origin: str | None) -> None:
    headers = {"Cookie": page.cookie}
    with pytest.raises(InvalidStatus), open_socket(page, headers, origin):
        pass


def test_a_socket_needs_the_cookie(page: ServedPage) -> None:
    with pytest.raises(InvalidStatus), open_socket(page, {}, page.url.rstrip("/")):
        pass


@pytest.mark.parametrize("first", ['{"half": "wrong"}', "[]", "no json", "{}"])
def test_a_socket_tells_nothing_before_the_second_half(page: ServedPage, first: str) -> None:
    with open_socket(page, {"Cookie": page.cookie}, page.url.rstrip("/")) as socket:
        socket.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=DEADLINE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def open_socket(page: ServedPage, headers: Mapping[str, str], origin: str | None):
    return connect(
        f"ws://{page.host}/api/socket",
        additional_headers=headers,
        origin=origin,  # type: ignore[arg-type]
        open_timeout=DEADLINE,
        proxy=None,
    )


@pytest.fixture
def guessed(daemon: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    served = serve(daemon, tmp_path_factory.mktemp("secret"))
    yield served
    served.end()


def test_a_token_can_be_guessed_ten_times_a_minute(guessed: ServedPage) -> None:
    statuses = [
        guessed.request("POST", "/api/login", {"token": f"guess {each}"}).status
        for each in range(12)
    ]
    assert statuses == [403] * 10 + [429] * 2
    assert guessed.request("POST", "/api/login", {"token": guessed.token}).status == 429


def test_a_read_only_page_refuses_every_order(
    daemon: Dev, tmp_path_factory: pytest.TempPathFactory
) -> None:
    served = serve(daemon, tmp_path_factory.mktemp("secret"), "--read-only")
    try:
        served.log_in()
        for order in ("start", "stop", "restart", "reload"):
            body = {"order": order, "locations": ["shop"]}
            assert served.request("POST", "/api/orders", body).status == 403
        for body in RUN_ORDERS:
            assert served.request("POST", "/api/orders", body).status == 403
        assert served.ask("status")["locations"][0]["name"] == "shop"
    finally:
        served.end()


def test_a_login_outlives_the_page_and_a_new_token_ends_it(
    daemon: Dev, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("secret")
    first = serve(daemon, folder)
    first.log_in()
    first.end()
    port = first.host.rpartition(":")[2]
    again = serve(daemon, folder, "--port", port)
    again.cookie, again.half = first.cookie, first.half
    assert again.token == first.token
    again.until_live()
    assert again.request("GET", "/api/status").status == 200
    again.end()
    other = serve(daemon, folder, "--port", port, "--new-token")
    other.cookie, other.half = first.cookie, first.half
    assert other.token != first.token
    assert other.request("GET", "/api/status").status == 401
    other.end()


def test_a_name_with_any_letters_is_asked_for_and_told_as_it_is(page: ServedPage) -> None:
    hostile = "<img src=x onerror=alert(1)>\u202e\udc80"
    answer = page.request("GET", f"/api/show?q={quote(json.dumps({'location': hostile}))}")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/json")
    answer.body.decode()
