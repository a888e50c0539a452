"""The terminal view on Textual: passes on what happens to the model, and shows what it became."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.css.query import NoMatches

from codelocd.render.text import Screen, colours
from codelocd_top import panes, run_rows, view
from codelocd_top.changes import step
from codelocd_top.feed import DaemonFeed
from codelocd_top.model import (
    Act,
    Clicked,
    Detail,
    Pressed,
    Quit,
    Resized,
    Said,
    Scroll,
    ShowLink,
    Suspend,
    Ticked,
    TitleClicked,
    TopModel,
)
from codelocd_top.run_model import AskStartable, RunAct, RunClicked
from codelocd_top.widgets import Bar, Hit, ScrolledLines

if TYPE_CHECKING:
    from codelocd_top.model import Event, Order

FRAME_SECONDS = 0.1
"""Between two drawings of what was not asked for by a key."""
TICK_SECONDS = 1.0
SIGNALLED = 128
"""What a shell adds to the number of the signal that ended a program."""


@dataclass(frozen=True, slots=True)
class TopFacts:
    """Which daemon is shown: its control socket, what it is called, whether it may be another
    user's, and the command that prints the link of its page."""

    socket: Path
    name: str
    foreign: bool
    link: Sequence[str]


class TopApp(App[None]):
    """All of the screen. `broken` is what it ended with, if that is a fault of ours."""

    CSS = """
    Screen { layout: vertical; overflow: hidden; background: ansi_default; color: ansi_default; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [  # noqa: RUF012  as Textual declares it
        Binding(key, f"press('{key}')", priority=True, show=False)
        for key in ("ctrl+c", "ctrl+q", "ctrl+z", "tab", "shift+tab")
    ]

    def __init__(
        self, facts: TopFacts, environ: dict[str, str], orphaned: int | None = None
    ) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.model = TopModel(name=facts.name, now=time.time())
        self.broken: BaseException | None = None
        self._facts = facts
        self._environ = environ
        self._orphaned = orphaned
        self._look = Screen(colour=colours(environ, terminal=True))
        self._feed = DaemonFeed(facts.socket, self.take, foreign=facts.foreign)
        self._tasks: set[asyncio.Task[None]] = set()
        self._drawn_at = 0.0
        self._drawing = False
        self._of: Any = None
        """What the rows were made from."""
        self._showing: Any = None
        """Whose pane is shown, and which."""
        self._shown_count = 0

    def compose(self) -> ComposeResult:
        yield Bar(id="title")
        yield Bar(id="head")
        yield ScrolledLines(id="rows")
        yield Bar(id="tabs")
        yield ScrolledLines(id="pane")
        yield Bar(id="last")

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.leave, SIGNALLED + number)
        if self._orphaned is not None:
            loop.add_reader(self._orphaned, self.leave, SIGNALLED + signal.SIGKILL)
        self.app_resume_signal.subscribe(self, self._paint_all)
        self.set_interval(TICK_SECONDS, lambda: self.take(Ticked(time.time())))
        self.start(self._feed.run())

    def _paint_all(self, _app: App[Any]) -> None:
        """After the shell had the terminal."""
        for widget in self.screen.walk_children():
            widget.refresh()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it done beside all else; what it fails with ends the view."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        self.broken = self.broken or error
        self.leave(1)

    def leave(self, code: int) -> None:
        """End, in order."""
        for task in tuple(self._tasks):
            task.cancel()
        self.exit(return_code=code)

    # --- what happens --------------------------------------------------------------------------

    def take(self, event: Event, *, at_once: bool = False) -> None:
        """Change the model, carry out what it orders, and draw it soon."""
        try:
            self.model, orders = step(self.model, event)
            for order in orders:
                self._carry_out(order)
            self._feed.want(self._detail())
        except Exception as error:  # noqa: BLE001  the terminal has to be restored before it is told
            return self._break(error)
        if at_once:
            return self._draw()
        if not self._drawing:
            self._drawing = True
            pause = self._drawn_at + FRAME_SECONDS - time.monotonic()
            self.set_timer(max(pause, 0.001), self._draw)
        return None

    def _detail(self) -> Detail | None:
        chosen, found = self.model.chosen, view.heights(self.model)
        run = self.model.chosen_run
        if not found.pane or self.model.mode == "keys":
            return None
        if self.model.table == "runs":
            return None if run is None else Detail(self.model.run_pane, run["location"], run["id"])
        if chosen is None:
            return None
        if self.model.pane == "problem":
            return None
        return Detail("output" if self.model.pane == "output" else "events", chosen["name"])

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.take(Pressed(event.key, event.character), at_once=True)

    def action_press(self, key: str) -> None:
        self.take(Pressed(key), at_once=True)

    def on_paste(self, event: events.Paste) -> None:
        if self.model.mode == "filter":
            for character in event.text:
                self.take(Pressed(character, character))

    def on_resize(self, event: events.Resize) -> None:
        self.take(Resized(event.size.width, event.size.height), at_once=True)

    def on_hit(self, hit: Hit) -> None:
        widget, word = hit.widget, ""
        if isinstance(widget, Bar):
            word = view.word_at(widget.text, hit.column)
        if widget.id == "rows" and self.model.table == "runs":
            if hit.line < len(there := run_rows.order(self.model)):
                self.take(RunClicked(there[hit.line], twice=hit.chain > 1), at_once=True)
        elif widget.id == "rows" and hit.line < len(self.model.order):
            self.take(Clicked(self.model.order[hit.line], twice=hit.chain > 1), at_once=True)
        elif widget.id == "head" and word:
            self.take(TitleClicked(word), at_once=True)
        elif widget.id in ("tabs", "last") and self.model.mode == "table":
            key = view.key_of(word)
            self.take(Pressed("enter" if key == "↵" else key, key), at_once=True)

    # --- what is ordered -----------------------------------------------------------------------

    def _carry_out(self, order: Order) -> None:
        match order:
            case Act():
                self.start(self._feed.act(order))
            case RunAct():
                self.start(self._feed.act_on_run(order))
            case AskStartable():
                self.start(self._feed.find_startable())
            case Scroll(key):
                self.query_one("#pane", ScrolledLines).move(key)
            case ShowLink():
                self.start(self._show_link())
            case Suspend():
                self.action_suspend_process()
            case Quit(code):
                self.leave(code)

    async def _show_link(self) -> None:
        """Of the page, which a program of its own knows."""
        process = await asyncio.create_subprocess_exec(
            *self._facts.link,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told = (await process.communicate())[0].decode(errors="replace").strip()
        if process.returncode:
            return self.take(Said(told or "the link of the page is not known", "yellow"))
        self.take(Said(told, stays=True))
        if has_browser(self._environ):
            await asyncio.to_thread(webbrowser.open, told)
        return None

    # --- what is shown -------------------------------------------------------------------------

    def _draw(self) -> None:
        self._drawing, self._drawn_at = False, time.monotonic()
        try:
            self._show(self.model)
        except NoMatches:
            return  # nothing is there yet, or any more
        except Exception as error:  # noqa: BLE001  as above
            self._break(error)

    def _show(self, model: TopModel) -> None:
        self._lay_out(model)
        self._bar("title", view.title(model, self._look))
        self._bar("last", view.last_line(model, self._look))
        self._show_rows(model)
        self._show_pane(model)

    def _bar(self, name: str, text: str) -> None:
        self.query_one(f"#{name}", Bar).show(text)

    def _lay_out(self, model: TopModel) -> None:
        found = view.heights(model)
        for name, height in (("rows", found.rows), ("pane", found.pane)):
            styles = self.query_one(f"#{name}", ScrolledLines).styles
            if styles.height is None or styles.height.value != height:
                styles.height = height
            styles.display = "block" if height else "none"
        self.query_one("#head").styles.display = "block" if found.rows else "none"
        self.query_one("#tabs").styles.display = "block" if found.pane else "none"

    def _show_rows(self, model: TopModel) -> None:
        """Made anew only if something that they show is another."""
        of = (model.locations, model.order, model.loads, model.sort, model.width, int(model.now),
              model.table, model.runs, model.wanted)  # fmt: skip
        if of != self._of:
            self._of = of
            head, lines = view.head_and_rows(model, self._look)
            self._bar("head", head)
        else:
            lines = list(self.query_one("#rows", ScrolledLines).lines)
        cursor = model.order.index(model.selected) if model.selected in model.order else None
        if model.table == "runs":
            there = run_rows.order(model)
            cursor = there.index(model.run) if model.run in there else None
        self.query_one("#rows", ScrolledLines).show(lines, cursor)

    def _show_pane(self, model: TopModel) -> None:
        """At the end of output and events it follows; scrolled up it stands still."""
        pane = self.query_one("#pane", ScrolledLines)
        pane_of = model.run_pane if model.table == "runs" else model.pane
        showing = (pane_of, model.prints, model.mode == "keys")
        follows = showing[0] in ("output", "events") and not showing[2]
        is_other = showing != self._showing
        at_end = is_other or pane.is_at_end
        self._showing = showing
        if is_other or at_end or showing[0] != "output":
            self._shown_count = model.count
            pane.show(panes.lines(model, self._look))
        if is_other:
            pane.shift = 0
            pane.to(0)
        if follows and at_end:
            pane.move("end")
        self._bar("tabs", view.pane_title(model, model.count - self._shown_count, self._look))


def has_browser(environ: dict[str, str]) -> bool:
    """Whether a browser would open where the user sits, and not in this terminal."""
    if environ.get("SSH_CONNECTION"):
        return False
    return sys.platform == "darwin" or bool(
        environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    )


def run(facts: TopFacts, orphaned: int) -> int:
    """Show the view until it is left; the exit code.

    `orphaned`: a descriptor at its end as soon as the process that restores the terminal is gone.
    """
    environ = dict(os.environ)
    os.environ.pop("NO_COLOR", None)  # Textual would turn what has no colour into shades of grey
    for name in ("COLUMNS", "LINES"):  # Textual would take them before the terminal's own size
        os.environ.pop(name, None)
    app = TopApp(facts, environ, orphaned)
    app.run()
    if app.broken is not None:
        raise app.broken
    return int(app.return_code or 0)
