"""The two kinds of widgets that the terminal view consists of: a line, and lines that scroll."""

from __future__ import annotations

from collections.abc import Sequence

from rich.ansi import AnsiDecoder
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

REVERSE, PLAIN = Style(reverse=True), Style()
SHIFT = 8
"""Columns by which lines move to the side at once."""


class Hit(Message):
    """A widget was clicked on: in that line of all that it has, and that column. `chain`: how many
    clicks came in a row.
    """

    def __init__(self, widget: Widget, line: int, column: int, chain: int) -> None:
        super().__init__()
        self.widget = widget
        self.line = line
        self.column = column
        self.chain = chain


class Bar(Widget):
    """One line of text."""

    can_focus = False
    DEFAULT_CSS = "Bar { height: 1; }"
    text = ""

    def show(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.refresh()

    def render_line(self, y: int) -> Strip:
        return _strip(self, self.text if y == 0 else "", 0, PLAIN)

    def on_click(self, event: events.Click) -> None:
        self.post_message(Hit(self, 0, event.x, event.chain))


class ScrolledLines(ScrollView):
    """Lines of text that scroll; only what is seen is looked at."""

    can_focus = False
    DEFAULT_CSS = """
    ScrolledLines {
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        scrollbar-color: ansi_default; scrollbar-background: ansi_default;
        scrollbar-color-hover: ansi_default; scrollbar-background-hover: ansi_default;
        scrollbar-color-active: ansi_default; scrollbar-background-active: ansi_default;
    }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self.lines: Sequence[str] = ()
        self.cursor: int | None = None
        self.shift = 0

    @property
    def is_at_end(self) -> bool:
        """Nothing is below what is seen."""
        return bool(self.scroll_y >= self.max_scroll_y)

    def show(self, lines: Sequence[str], cursor: int | None = None) -> None:
        """These lines from now on, one of them with a cursor."""
        if lines == self.lines and cursor == self.cursor:
            return
        moved = cursor != self.cursor
        self.lines, self.cursor = lines, cursor
        self.virtual_size = Size(max(self.size.width, 1), len(lines))
        if moved and cursor is not None:
            self._reveal(cursor)
        self.refresh()

    def _reveal(self, at: int) -> None:
        top, height = round(self.scroll_y), max(self.size.height, 1)
        if not top <= at < top + height:
            self.to(at if at < top else at - height + 1)

    def to(self, line: int) -> None:
        """That line is the first that is seen."""
        self.scroll_to(y=line, animate=False, force=True)

    def move(self, key: str) -> None:
        """What the key of this name does to what is seen."""
        top, page = round(self.scroll_y), max(self.size.height - 1, 1)
        match key:
            case "up" | "down":
                self.to(top + (1 if key == "down" else -1))
            case "pageup" | "pagedown":
                self.to(top + (page if key == "pagedown" else -page))
            case "home":
                self.shift = 0
                self.to(0)
            case "end":
                self.to(len(self.lines))
            case "left" | "right":
                self.shift = max(self.shift + (SHIFT if key == "right" else -SHIFT), 0)
                self.refresh()

    def render_line(self, y: int) -> Strip:
        at = y + round(self.scroll_y)
        line = self.lines[at] if at < len(self.lines) else ""
        return _strip(self, line, self.shift, REVERSE if at == self.cursor else PLAIN)

    def on_click(self, event: events.Click) -> None:
        self.post_message(Hit(self, event.y + round(self.scroll_y), event.x, event.chain))


def _strip(widget: Widget, line: str, shift: int, style: Style) -> Strip:
    """A line with its colours, from the column `shift` on, as wide as the widget."""
    width = widget.size.width
    segments = [Segment(line, PLAIN)]
    if "\x1b" in line:
        segments = list(AnsiDecoder().decode_line(line).render(widget.app.console))
    shown = Strip(segments).crop(shift, shift + width).extend_cell_length(width)
    return shown.apply_style(style) if style is not PLAIN else shown
