"""Writes one run to stdout as it goes on, and what its code prints."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from codelocd.cli import output
from codelocd.model import Stream
from codelocd.render import runs as render

Form = Literal["text", "json", "events"]


class RunOutput:
    """Writes a run as it goes on, in one form, and what its code prints.

    In text both share stdout; else stdout has documents alone.
    """

    def __init__(self, form: Form, unread: Callable[[OSError], object]) -> None:
        """`unread` is called, once, where what is written no longer has a reader."""
        self._form = form
        self._unread = unread
        self._screen = output.stdout_screen()
        self._width = 0
        self._shown: dict[tuple[str, str], tuple[int, str]] = {}
        self._is_inside_line = False
        self._is_read = True

    def begins(self, what: str, told: str, number: int | None = None) -> None:
        """Before the first attempt: what is run, for people; `number` is that of the run, `told`
        what there is to say of its code."""
        if self._form == "text":
            self._line(render.title(what, told, self._screen, number))

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

    def caught_up(self, run: Mapping[str, Any]) -> None:
        """The document of a run that goes on: what of it was not told is shown now."""
        if self._form != "text":
            return
        self._width = self._width or render.width_of(run)
        attempt = len(run["attempts"])
        for step in run["steps"]:
            self._say_step({**step, "attempt": attempt}, late=True)
            for check in step.get("checks") or ():
                self._say_check({**check, "asset": step["name"], "attempt": attempt}, late=True)

    def ended(self, run: Mapping[str, Any]) -> None:
        """The last words, by its document. Of what could not be run stderr has the reason."""
        if self._form == "json":
            output.document(run)
        elif self._form == "events":
            self._document({"event": "ended", "at": time.time(), "run": run})
        elif run["why"] not in ("usage", "upstream") or run["id"] is not None:
            self._line(render.ended(run, self._screen))

    def _say(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "plan":
                self._width = render.width_of(event)
            case "step":
                self._say_step(event)
            case "check":
                self._say_check(event)
            case "retry":
                self._line(render.again(event))

    def _say_step(self, step: Mapping[str, Any], *, late: bool = False) -> None:
        if step["state"] != "started" and self._is_new((step["name"], ""), step, late=late):
            self._line(render.step_line(step, self._width, self._screen))

    def _say_check(self, check: Mapping[str, Any], *, late: bool = False) -> None:
        if self._is_new((check["asset"], check["name"]), check, late=late):
            self._line(render.check_line(check, self._width, self._screen))

    def _is_new(self, name: tuple[str, str], told: Mapping[str, Any], *, late: bool) -> bool:
        """Whether it was not shown. `late`: of which attempt it is, is not known."""
        now = (told["attempt"], told["state"])
        before = self._shown.get(name)
        if before == now or (late and before is not None and before[1] == now[1]):
            return False
        self._shown[name] = now
        return True

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
        try:
            yield
        except OSError as error:
            was_read, self._is_read = self._is_read, False
            if was_read:
                self._unread(error)
