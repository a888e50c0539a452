"""The page's addresses: the shell, its files, data by GET, orders by POST, news by a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from codelocd.client import DaemonUnreachable, RpcError
from codelocd_ui.feed import FORWARDED, ORDERS, Feed
from codelocd_ui.guard import BODY_BYTES, SECURITY_HEADERS, Asking, Guard, Refusal
from codelocd_ui.runs import RUN_ORDERS, unknown_params
from codelocd_ui.static_files import StaticFile, StaticFiles
from codelocd_ui.tabs import MOST_TABS, Tab, TabBehind
from codelocd_ui.text import to_json

FIRST_MESSAGE_SECONDS = 5.0
"""Within which a socket says its second half."""
ORDER_SECONDS = 600.0
CLOSE_REFUSED, CLOSE_BEHIND, CLOSE_FULL = 4401, 4408, 4429
"""Codes of a closed socket (4000 to 4999 are for applications: RFC 6455, 7.4.2)."""
ORDER_NAMES = ("start", "stop", "restart", "reload", *RUN_ORDERS)
ONLY_READS = Refusal(403, "whoever serves this page may only read")
STATUSES = {"usage": 400, "unknown": 404, "busy": 409, "down": 503, "timeout": 504, "limit": 413}
"""Of HTTP, by the kind of the daemon's error."""


class Page:
    """The application; `files`, `feed` and `guard` do the work."""

    def __init__(self, feed: Feed, guard: Guard, files: StaticFiles) -> None:
        self._feed = feed
        self._guard = guard
        self._files = files

    def application(self) -> ASGIApp:
        routes = [
            Route("/", self._shell),
            Route("/static/{version}/{name:path}", self._file),
            Route("/api/login", self._login, methods=["POST"]),
            Route("/api/registry", self._registry),
            Route("/api/files", self._files_of_code),
            Route("/api/orders", self._order, methods=["POST"]),
            WebSocketRoute("/api/socket", self._socket),
            Route("/api/{method}", self._ask),
        ]
        return Guarded(Starlette(routes=routes, lifespan=self._lifespan), self._guard)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _application: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(self._feed.run())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _shell(self, _request: Request) -> Response:
        return sent(self._files.shell, "no-store")

    async def _file(self, request: Request) -> Response:
        found = self._files.get(request.path_params["version"], request.path_params["name"])
        if found is None:
            return refused(Refusal(404, "there is no such file"))
        return sent(found, "public, max-age=31536000, immutable")

    async def _login(self, request: Request) -> Response:
        said = await document_of(request)
        token = said.get("token")
        refusal = self._guard.login(token if isinstance(token, str) else "", time.monotonic())
        if refusal is not None:
            return refused(refusal)
        response = answered({"half": self._guard.session.header})
        response.set_cookie(
            self._guard.cookie_name,
            self._guard.session.cookie,
            max_age=400 * 24 * 3600,  # the most that browsers keep one
            path=None,
            httponly=True,
            samesite="strict",
        )
        return response

    async def _registry(self, request: Request) -> Response:
        registry = self._feed.registry
        tag = f'"{self._feed.instance}-{"-".join(map(str, registry.version))}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag, "cache-control": "no-cache"})
        body = await asyncio.to_thread(registry.encoded)
        headers = {"etag": tag, "cache-control": "no-cache", "content-encoding": "gzip"}
        return Response(body, media_type="application/json", headers=headers)

    async def _files_of_code(self, _request: Request) -> Response:
        registry = self._feed.registry
        return answered({"revision": registry.revision, "files": registry.files()})

    async def _ask(self, request: Request) -> Response:
        """`api/show?q={"location": "sales"}`: one of the daemon's methods that only read."""
        method = request.path_params["method"]
        if method not in FORWARDED:
            return refused(Refusal(404, "there is no such method"))
        params = map_in(request.query_params.get("q", "{}"))
        if params is None:
            return refused(Refusal(400, "q must be a map in JSON"))
        return await self._answer(method, params, 30.0)

    async def _order(self, request: Request) -> Response:
        said = await document_of(request)
        order, locations = said.get("order"), said.get("locations")
        if isinstance(order, str) and order in RUN_ORDERS:
            return await self._run_order(order, said.get("params"))
        if not isinstance(order, str) or order not in ORDERS or not isinstance(locations, list):
            return refused(Refusal(400, f"an order is one of {', '.join(ORDER_NAMES)}"))
        if not locations:
            return refused(Refusal(400, "an order names its locations"))
        if self._feed.only_reads:
            return refused(ONLY_READS)
        return await self._answer(order, {"locations": locations}, ORDER_SECONDS)

    async def _run_order(self, order: str, params: object) -> Response:
        """`{"order": "run_cancel", "params": {"id": 17}}`: what concerns a run or a schedule."""
        if not isinstance(params, dict):
            return refused(Refusal(400, f"{order} takes params, a map"))
        if unknown := unknown_params(order, params):
            return refused(Refusal(400, f"{order} does not take {unknown[0][:40]}"))
        if self._feed.only_reads:
            return refused(ONLY_READS)
        return await self._answer(order, params, ORDER_SECONDS)

    async def _answer(self, method: str, params: dict[str, Any], timeout: float) -> Response:
        try:
            return answered(await self._feed.ask(method, params, timeout))
        except RpcError as error:
            return answered({"error": error.document()}, STATUSES.get(error.kind, 502))
        except (OverflowError, RecursionError):
            return refused(Refusal(400, "a number is too large, or the lists are too deep"))
        except DaemonUnreachable as error:
            said = {"kind": "down", "message": str(error), "data": None}
            return answered({"error": said}, 503)

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        if not await self._proves_second_half(socket):
            return await socket.close(CLOSE_REFUSED)
        if len(self._feed.tabs) >= MOST_TABS:
            return await socket.close(CLOSE_FULL)
        tab = Tab()
        for message in self._feed.beginning():
            tab.send(to_json(message))
        self._feed.tabs.add(tab)
        ends = [
            asyncio.create_task(_send(socket, tab)),
            asyncio.create_task(self._hear(socket, tab)),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._feed.tabs.remove(tab)
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        return None

    async def _proves_second_half(self, socket: WebSocket) -> bool:
        try:
            async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                said = map_in(await socket.receive_text())
        except (TimeoutError, KeyError, WebSocketDisconnect):
            return False
        return said is not None and self._guard.is_second_half(said.get("half"))

    async def _hear(self, socket: WebSocket, tab: Tab) -> None:
        """`{"output": null | true | [location…], "usage": true, "run": null | 17}`: what the tab
        shows now."""
        while True:
            said = json.loads(await socket.receive_text())
            output = said.get("output")
            if output is None:
                tab.batch = None
            else:
                tab.look_at_output(None if output is True else [str(name) for name in output])
            tab.wants_usage = bool(said.get("usage"))
            run = said.get("run")
            tab.look_at_run(run if type(run) is int else None)
            self._feed.tabs.changed.set()


async def _send(socket: WebSocket, tab: Tab) -> None:
    try:
        while True:
            await socket.send_text((await tab.next()).decode())
    except TabBehind:
        await socket.close(CLOSE_BEHIND)


class Guarded:
    """An application behind the guard; every answer gets the security headers."""

    def __init__(self, inner: ASGIApp, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._inner(scope, receive, send)
        refusal = self._guard.refusal(asking(scope))
        if refusal is None:
            return await self._inner(scope, receive, _with_headers(send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": CLOSE_REFUSED})
        return await refused(refusal)(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    added = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


def asking(scope: Scope) -> Asking:
    """What the guard has to know of a request. The path may stand below a proxy's prefix."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope["path"]
    return Asking(
        method=scope.get("method", "GET"),
        headers=headers,
        is_api="/api/" in path,
        is_login=path.endswith("/api/login"),
        is_socket=scope["type"] == "websocket",
    )


async def document_of(request: Request) -> dict[str, Any]:
    """The map in the body of a request; empty where it holds something else.

    The guard has seen that it says it is short enough; the server reads no more than it says.
    """
    body = await request.body()
    return map_in(body[: BODY_BYTES + 1]) or {}


def map_in(text: str | bytes) -> dict[str, Any] | None:
    """The map that the JSON is; None where it is none, or lists stand too deep in each other."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def answered(document: Any, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(to_json(document), status, headers, media_type="application/json")


def refused(refusal: Refusal) -> Response:
    said = {"kind": "refused", "message": refusal.why, "data": None}
    return answered({"error": said}, refusal.status)


def sent(file: StaticFile, cache: str) -> Response:
    headers = {"cache-control": cache, "content-type": file.type}
    if file.encoding is not None:
        headers["content-encoding"] = file.encoding
    return Response(file.body, headers=headers)
