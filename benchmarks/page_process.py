"""The page's process: start, answers, memory and CPU, many tabs, and a daemon that is killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from benchmarks import _projects
from benchmarks._daemon import PATIENCE, Daemon, folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks._tree import cpu, pss

LOCATIONS, TABS, MANY_TABS = 12, 5, 20
REQUESTS, RELOADS = 500, 200
MINUTES = float(os.environ.get("PAGE_MINUTES", "1"))
"""For which five tabs stay open after the flood; the promise is of an hour: PAGE_MINUTES=60."""
EACH = 3.6
"""Seconds from one reload to the next in that time: 1,000 in an hour."""
REST = 30.0
"""Seconds for which CPU at rest is counted."""
FLOOD = """\
import threading, time
def flood():
    end = time.monotonic() + 10
    while time.monotonic() < end:
        print("\\n".join(["a line of output that is neither short nor long"] * 50), flush=True)
        time.sleep(0.01)
threading.Thread(target=flood, daemon=True).start()
"""


@dataclass
class PageProcess:
    """A page's process, and what a browser knows after its login."""

    process: subprocess.Popen[str]
    url: str
    cookie: str
    half: str
    answered: float
    """Milliseconds from its start to its first answer."""

    def get(self, path: str) -> float:
        """Milliseconds until the first byte of an answer is there, on a new connection."""
        began = time.monotonic()
        _ask(self.url, "GET", path, None, {"Cookie": self.cookie, "X-Codelocd": self.half})
        return 1000 * (time.monotonic() - began)

    @contextmanager
    def tab(self) -> Iterator[ClientConnection]:
        """An open tab that has its whole state."""
        host = urlsplit(self.url).netloc
        with connect(
            f"ws://{host}/api/socket",
            additional_headers={"Cookie": self.cookie},
            origin=Origin(self.url.rstrip("/")),
            max_size=None,
            proxy=None,
        ) as tab:
            tab.send(json.dumps({"half": self.half}))
            until(tab, lambda told: told["type"] == "state" and told["gone"] is None)
            yield tab


def measure(runs: int) -> list[Figure]:
    """12 native locations. Growth is that after five tabs, 200 reloads, ten seconds of 5,000 lines
    each second, and minutes (an hour with PAGE_MINUTES=60) with a reload every 3.6 s; a tab reads
    all that it is sent. `kill -9` takes the daemon, not the page.
    """
    with folder() as home:
        project = _projects.write(home / "project", LOCATIONS)
        with running(project, home) as daemon:
            daemon.until_serving()
            starts = [_started(daemon, home) for _ in range(runs)]
            with serving(daemon, home) as page:
                figures = [
                    Figure("start of the process → first answer", "ms", tuple(starts), 500.0),
                    *_answers(page),
                    *_rest(daemon, page),
                    *_use(daemon, page, project / "location_0.py"),
                    _many_tabs(page),
                    _killed(daemon, page),
                ]
    return figures


def _started(daemon: Daemon, home: Path) -> float:
    with serving(daemon, home) as page:
        return page.answered


@contextmanager
def serving(daemon: Daemon, home: Path) -> Iterator[PageProcess]:
    began = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "codelocd_ui", "--daemon", str(daemon.socket())),
            *("--folder", str(home / "page"), "--port", "0"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"},
    )
    assert process.stdout is not None
    url, _, token = process.stdout.readline().strip().partition("#")
    try:
        _ask(url, "GET", "/", None, {})
        answered = 1000 * (time.monotonic() - began)
        headers = {"Origin": url.rstrip("/"), "Content-Type": "application/json"}
        answer, body = _ask(url, "POST", "/api/login", json.dumps({"token": token}), headers)
        cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        yield PageProcess(process, url, cookie, json.loads(body)["half"], answered)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


def _ask(
    url: str, method: str, path: str, body: str | None, headers: dict[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def until(tab: ClientConnection, holds: Any) -> float:
    """The time (monotonic) at which a message came of which `holds` is true."""
    while not holds(json.loads(tab.recv(timeout=PATIENCE))):
        continue
    return time.monotonic()


def _answers(page: PageProcess) -> list[Figure]:
    took = sorted(page.get("/") for _ in range(REQUESTS))
    return [
        Figure("an answer, connection included, p50", "ms", (statistics.median(took),), 2.0),
        Figure("… p99", "ms", (took[int(0.99 * REQUESTS)],), 10.0),
    ]


def _rest(daemon: Daemon, page: PageProcess) -> list[Figure]:
    """With one tab that shows charts, as the first page does."""
    its, daemons = psutil.Process(page.process.pid), psutil.Process(daemon.process.pid)
    figures = [Figure("memory (PSS) at rest", "MB", (pss([its]),), 37.0)]
    with page.tab() as tab:
        tab.send(json.dumps({"usage": True}))
        reader = Reader(tab)
        time.sleep(3.0)  # the login and the first sample are over
        before, began = (cpu(its), cpu(daemons)), time.monotonic()
        time.sleep(REST)
        passed = time.monotonic() - began
        for whose, process, spent in (("page", its, before[0]), ("daemon", daemons, before[1])):
            share = 100 * (cpu(process) - spent) / passed
            figures.append(Figure(f"CPU at rest with one tab, the {whose}", "%", (share,), 1.0))
        reader.end()
    return figures


class Reader:
    """Reads all that a tab is sent, on a thread."""

    def __init__(self, tab: ClientConnection) -> None:
        self._tab = tab
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for _message in self._tab:
            pass

    def end(self) -> None:
        self._tab.close()
        self._thread.join(PATIENCE)


def _use(daemon: Daemon, page: PageProcess, module: Path) -> list[Figure]:
    its, daemons = psutil.Process(page.process.pid), psutil.Process(daemon.process.pid)
    before = pss([daemons])
    source = module.read_text()
    with ExitStack() as tabs, daemon.client() as client:
        for _ in range(TABS):
            tab = tabs.enter_context(page.tab())
            tab.send(json.dumps({"output": True, "usage": True}))
            tabs.callback(Reader(tab).end)
        for _ in range(RELOADS):
            client.call("reload", {"locations": ["location_0"]}, timeout=PATIENCE)
        halfway = pss([its])
        module.write_text(FLOOD + source)
        time.sleep(15.0)
        module.write_text(source)
        flooded = pss([its])
        end = time.monotonic() + 60 * MINUTES
        while time.monotonic() < end:
            client.call("reload", {"locations": ["location_0"]}, timeout=PATIENCE)
            time.sleep(EACH)
        after = pss([its])
    time.sleep(8.0)  # the daemon gives unused memory back when it comes to rest
    return [
        Figure(f"memory (PSS) with {TABS} tabs after {RELOADS} reloads", "MB", (halfway,)),
        Figure("… after a flood", "MB", (flooded,), 63.0),
        Figure(f"… after {MINUTES:g} min more, a reload every {EACH} s", "MB", (after,), 63.0),
        Figure("growth of the daemon by all that", "MB", (pss([daemons]) - before,), 3.1),
    ]


def _many_tabs(page: PageProcess) -> Figure:
    began = time.monotonic()
    with ExitStack() as tabs:
        for _ in range(MANY_TABS):
            tabs.enter_context(page.tab())
        took = 1000 * (time.monotonic() - began)
    return Figure(f"{MANY_TABS} tabs open one after another, each with its state", "ms", (took,))


def _killed(daemon: Daemon, page: PageProcess) -> Figure:
    with page.tab() as tab:
        began = time.monotonic()
        os.kill(daemon.process.pid, signal.SIGKILL)
        gone = until(tab, lambda told: told["type"] == "gone")
    return Figure(
        "kill -9 of the daemon → each tab is told", "ms", (1000 * (gone - began),), 1000.0
    )


if __name__ == "__main__":
    alone(measure, __doc__)
