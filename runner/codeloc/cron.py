"""Cron expressions: five fields, and whether there is a time that matches them.

The grammar is that of cron's own manual, crontab(5): `*`, numbers, names, ranges, lists, steps and
the `@` macros for five fields; and `5/15`, which most readers of cron take for `5-59/15`.
"""

from __future__ import annotations

FORM = "minute, hour, day of month, month, day of week"

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month; of February in a leap year."""


class CronError(ValueError):
    """One line that says what in an expression is wrong."""


class Field:
    """One of the five: its bounds, and the names of its values counted from the lower one."""

    def __init__(self, title: str, low: int, high: int, names: tuple[str, ...] = ()) -> None:
        self.title = title
        self.low = low
        self.high = high
        self.names = names

    def values(self, text: str) -> set[int]:
        """Every value that the field's text allows; raises CronError."""
        return {value for item in text.split(",") for value in self._item(item)}

    def _item(self, item: str) -> range:
        span, slash, step = item.partition("/")
        first, last = self._span(item, span, stepped=bool(slash))
        return range(first, last + 1, self._step(item, step) if slash else 1)

    def _span(self, item: str, span: str, stepped: bool) -> tuple[int, int]:
        if span == "*":
            return self.low, self.high
        start, dash, end = span.partition("-")
        first = self._value(item, start)
        if not dash:
            return first, self.high if stepped else first
        last = self._value(item, end)
        if self.names is WEEKDAYS and last == 0 < first:
            last = 7  # a week may end on a Sunday: fri-sun
        if last < first:
            raise self._wrong(item, "the range runs backwards")
        return first, last

    def _step(self, item: str, text: str) -> int:
        step = _number(text)
        if step is None or not 1 <= step <= self.high:
            raise self._wrong(item, f"a step is a number from 1 to {self.high}")
        return step

    def _value(self, item: str, text: str) -> int:
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        value = _number(text)
        if value is None or not self.low <= value <= self.high:
            names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
            raise self._wrong(item, f"{text!r} is not one of {self.low} to {self.high}{names}")
        return value

    def _wrong(self, item: str, complaint: str) -> CronError:
        return CronError(f"{self.title} {item!r}: {complaint}")


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 0, 7, WEEKDAYS),
)


def problem(expression: str) -> str | None:
    """Why `expression` names no time at all, or None."""
    try:
        texts = _split(expression)
        values = [field.values(text) for field, text in zip(FIELDS, texts)]
        _check_dates(days=values[2], months=values[3], weekdays=texts[4])
    except CronError as error:
        return f"{expression!r}: {error}"
    return None


def _split(expression: str) -> list[str]:
    if expression.strip().startswith("@"):
        return _expand(expression.strip()).split()
    texts = expression.split()
    if len(texts) != len(FIELDS):
        raise CronError(f"{len(texts)} fields, expected {len(FIELDS)}: {FORM}")
    return texts


def _expand(macro: str) -> str:
    try:
        return MACROS[macro.lower()]
    except KeyError:
        raise CronError(f"{macro!r} is not one of {', '.join(MACROS)}") from None


def _check_dates(days: set[int], months: set[int], weekdays: str) -> None:
    """A date must match both kinds of day if the weekday begins with `*`, else either of them."""
    longest = max(LONGEST[month - 1] for month in months)
    if weekdays.startswith("*") and min(days) > longest:
        names = ", ".join(MONTHS[month - 1] for month in sorted(months))
        raise CronError(f"it would never run: no day {min(days)} in {names}")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
