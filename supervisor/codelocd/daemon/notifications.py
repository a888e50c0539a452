"""Tells people that a location failed, is stale or recovered: by a command or at a URL."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.core.news import Condition, Notified, condition_of, message, wait_before
from codelocd.model import NotifySettings, Stream
from codelocd.process.child import Children

if TYPE_CHECKING:
    from codelocd.documents.events import TopicEvent
    from codelocd.documents.locations import LocationStatus

PATIENCE = 30.0
"""Seconds that a command, or the server at the URL, has. A notification is not tried again."""

AGAIN = 1.0
"""Seconds until a location in trouble is looked at again while a release is tried with it."""


class Notifications:
    """An observer of the topic `status`. `report` gets a line where a notification did not go out;
    `instance` is that of the daemon; `tries` says whether a release is being tried with a location:
    one that does not load leaves it as it was, which is no news."""

    def __init__(
        self,
        settings: NotifySettings,
        children: Children,
        instance: str,
        report: Callable[[str], None],
        tries: Callable[[str], bool],
    ) -> None:
        self._tries = tries
        self._settings = settings
        self._children = children
        self._daemon = {"host": socket.gethostname(), "instance": instance}
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._told: dict[str, Notified] = {}
        self._newest: dict[str, LocationStatus] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def observe(self, event: TopicEvent) -> None:
        """A location may be in another condition now."""
        if event["topic"] != "status" or "full" in event["data"]:
            return
        entry = event["data"]["location"]
        if entry is not None and condition_of(entry) is not None:
            self._newest[entry["name"]] = entry
            self._consider(entry["name"])

    def _consider(self, name: str) -> None:
        """Tell what is new now, or once the period is over; then what holds at that time."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        entry, told = self._newest[name], self._told.get(name, Notified())
        condition = condition_of(entry)
        now = time.monotonic()
        wait = None if condition is None else wait_before(told, condition, now)
        if condition is None or wait is None:
            return
        if condition != "well" and self._tries(name):
            wait = max(wait, AGAIN)
        if wait:
            self._waiting[name] = self._loop.call_later(wait, self._consider, name)
            return
        self._told[name] = Notified(condition, now)
        self._begin(entry, told.condition, condition)

    def _begin(self, entry: LocationStatus, before: Condition, after: Condition) -> None:
        document = message(entry, before, after, time.time(), self._daemon)
        for send in (self._run, self._post):
            task = self._loop.create_task(send(document))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _run(self, document: dict[str, object]) -> None:
        """The command gets the document on its standard input, and in variables."""
        command = self._settings.command
        if not command:
            return
        facts = {k: v for k, v in document.items() if v is not None}
        variables = {f"CODELOCD_{name.upper()}": str(value) for name, value in facts.items()}
        said = b""

        def heard(_stream: Stream, data: bytes) -> None:
            nonlocal said
            said = (said + data)[-1000:]

        try:
            with tempfile.TemporaryFile() as stdin:
                stdin.write(json.dumps(document).encode())
                stdin.seek(0)
                child = self._children.start(
                    command,
                    variables={**os.environ, **variables},
                    directory=Path("/"),
                    output=heard,
                    stdin=stdin.fileno(),
                    private=True,
                )
        except OSError as error:
            self._report(f"[notify] command: {command[0]}: {error.strerror}")
            return
        try:
            async with asyncio.timeout(PATIENCE):
                end = await asyncio.shield(child.exited)
        except TimeoutError:
            self._report(f"[notify] command: {command[0]} took more than {PATIENCE:g} s")
        else:
            if end.status != 0:
                last = said.decode(errors="replace").rstrip().rpartition("\n")[2]
                how = f"status {end.status}" if end.signal is None else f"signal {end.signal}"
                self._report(f"[notify] command: {command[0]} ended with {how}: {last}")
        finally:
            child.kill()

    async def _post(self, document: dict[str, object]) -> None:
        if self._settings.url is None:
            return
        try:
            await asyncio.to_thread(_posted, self._settings.url, json.dumps(document).encode())
        except (OSError, ValueError) as error:  # the URL may have a secret in it
            self._report(f"[notify] url: {type(error).__name__}: {error}")


def _posted(url: str, body: bytes) -> None:
    from urllib.request import Request, urlopen  # with TLS, 3 MB that few daemons need

    headers = {"Content-Type": "application/json", "User-Agent": "codelocd"}
    with urlopen(Request(url, body, headers), timeout=PATIENCE):  # noqa: S310 http(s), by its table
        pass
