"""`uvicorn --reload`, the usual hot reloader, with an application of one line."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._daemon import NothingHappened, free_port, plain_environment
from benchmarks._peers import program

PAUSE = 0.002
SECONDS = 30.0
"""For a reload."""

SOURCE = """\
async def app(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200}})
    await send({{"type": "http.response.body", "body": b"{text}"}})
"""


@dataclass(frozen=True, slots=True)
class Reloader:
    """One that runs."""

    module: Path
    port: int

    def save(self, text: str) -> float:
        """Milliseconds from a save to an answer of the new code.

        `text` must have another length each time: Python takes bytecode for current when the
        source was saved within the same second and has the same size, and the old code would
        be served for ever.
        """
        began = time.monotonic()
        self.module.write_text(SOURCE.format(text=text))
        self.until(text)
        return 1000 * (time.monotonic() - began)

    def until(self, text: str) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if self._answer() == text:
                return
            time.sleep(PAUSE)
        raise NothingHappened(f"uvicorn never answered {text!r}")

    def _answer(self) -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


@contextmanager
def reloading(home: Path) -> Iterator[Reloader]:
    """It watches a folder of its own."""
    folder = home / "uvicorn"
    folder.mkdir()
    reloader = Reloader(folder / "application.py", free_port())
    reloader.module.write_text(SOURCE.format(text="first"))
    options = ["--reload", "--lifespan", "off", "--log-level", "error"]
    with subprocess.Popen(
        [program("uvicorn", "uvicorn"), "application:app", *options, "--port", str(reloader.port)],
        cwd=folder,
        env=plain_environment(),
    ) as process:
        try:
            reloader.until("first")
            yield reloader
        finally:
            process.terminate()
