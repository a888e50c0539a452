"""Durations: `"30s"` is 30 seconds."""

from __future__ import annotations

UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
FORM = 'seconds, or text such as "500ms", "30s", "5min", "2h", "1d"'


def seconds(value: str | float) -> float | None:
    """The duration in seconds; None unless it is a finite number above 0 with a known unit."""
    duration = _parse(value) if isinstance(value, str) else value
    return duration if duration is not None and 0 < duration < float("inf") else None


def _parse(text: str) -> float | None:
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(number) :]
    try:
        return float(number) * UNITS[unit]
    except (KeyError, ValueError):
        return None
