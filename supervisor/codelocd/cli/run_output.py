"""Writes one run to stdout as it goes on, and what its code prints."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from codelocd.cli import output
from codelocd.model import Stream
from codelocd.render import runs as render
from codelocd.runs.encoding import run_document
from codelocd.runs.model import RunRecord

Form = Literal["text", "json", "events"]


class RunOutput:
    """Writes a run as it goes on, in one form, and what its code prints.

    In text both share stdout; else stdout has documents alone.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._screen = output.stdout_screen()
        self._width = 0
        self._is_inside_line = False
        self._is_read = True

    def begins(self, what: str, python: str) -> None:
        """Before the first attempt: what is run, for people."""
        if self._form == "text":
            self._line(render.title(what, python, self._screen))

    def printed(self, stream: Stream, data: bytes) -> None:
        """What the code prints, as it comes."""
        is_stdout = stream == "stdout" and self._form == "text"
        if data and self._write(data, to_stdout=is_stdout) and is_stdout:
            self._is_inside_line = not data.endswith(b"\n")

    def told(self, event: Mapping[str, Any]) -> None:
        """An event of an attempt."""
        if self._form == "events":
            self._document(event)
        elif self._form == "text":
            self._say(event)

    def ended(self, run: RunRecord) -> None:
        """The last words. Of what could not be run stderr has the reason already."""
        document = {**run_document(run), "id": None}
        if self._form == "json":
            output.document(document)
        elif self._form == "events":
            self._document({"event": "ended", "at": time.time(), "run": document})
        elif run.why != "usage":
            self._line(render.ended(document, self._screen))

    def _say(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "plan":
                self._width = render.width_of(event)
            case "step" if event["state"] != "started":
                self._line(render.step_line(event, self._width, self._screen))
            case "check":
                self._line(render.check_line(event, self._width, self._screen))
            case "retry":
                self._line(render.again(event))

    def _line(self, text: str) -> None:
        """On a line of its own, whatever the code has printed."""
        start = "\n" if self._is_inside_line else ""
        self._is_inside_line = False
        self._write(f"{start}{text}\n".encode(errors="backslashreplace"), to_stdout=True)

    def _document(self, value: Mapping[str, Any]) -> None:
        with self._until_unread():
            output.line(value)

    def _write(self, data: bytes, *, to_stdout: bool) -> bool:
        stream = sys.stdout if to_stdout else sys.stderr
        with self._until_unread():
            stream.flush()
            stream.buffer.write(data)
            stream.buffer.flush()
        return self._is_read

    @contextlib.contextmanager
    def _until_unread(self) -> Iterator[None]:
        """Once the reader has gone, the run is cancelled: what would hear how it ends?"""
        try:
            yield
        except OSError:
            if self._is_read:
                os.kill(os.getpid(), signal.SIGTERM)
            self._is_read = False
