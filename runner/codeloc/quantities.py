"""Durations and sizes as authors write them."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Mapping

    from codeloc.arguments import Arguments


UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
DURATION_FORM = 'seconds, or text such as "500ms", "30s", "5min", "2h", "1d"'
BYTES = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", start=1)},
}
"""Prefixes of the SI and of IEC 80000-13, as in a config."""
SIZE_FORM = 'bytes, or text such as "512MiB", "2GiB"'
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
BITS = 63
"""Of an integer that every reader takes, beside its sign."""
LONGEST = 100 * 365 * 86400.0
"""Seconds: what is longer than a hundred years is a slip of the finger, and no calendar has it."""
LARGEST = 10**15
"""Bytes, as in a config."""


def duration_in_seconds(value: str | float) -> float | None:
    """The duration in seconds; None unless it is a number above 0, of at most LONGEST, with a known
    unit."""
    duration = _parsed(value, UNITS) if isinstance(value, str) else value
    return duration if duration is not None and 0 < duration <= LONGEST else None


def size_in_bytes(value: str | float) -> int | None:
    """The size in bytes; None unless it is a number of 1 to LARGEST, with a known unit."""
    size = _parsed(value, BYTES) if isinstance(value, str) else value
    return round(size) if size is not None and 1 <= size <= LARGEST else None


def _parsed(text: str, units: Mapping[str, float]) -> float | None:
    number = text.strip().rstrip(LETTERS)
    unit = text.strip()[len(number) :]
    try:
        return float(number) * units[unit]
    except (KeyError, ValueError):
        return None


def checked_duration(arguments: Arguments, argument: str, value: object) -> float:
    """Seconds. Raises DefinitionsError."""
    _check_type(arguments, argument, value, DURATION_FORM)
    seconds = duration_in_seconds(value)  # type: ignore[arg-type]  # just checked
    if seconds is None:
        complaint = f"{value!r} is not a duration: {DURATION_FORM}, above 0, at most 100 years"
        raise arguments.invalid(argument, complaint)
    return seconds


def optional_duration(arguments: Arguments, argument: str, value: object) -> float | None:
    """The same, or None."""
    return None if value is None else checked_duration(arguments, argument, value)


def checked_size(arguments: Arguments, argument: str, value: object) -> int:
    """Bytes. Raises DefinitionsError."""
    _check_type(arguments, argument, value, SIZE_FORM)
    size = size_in_bytes(value)  # type: ignore[arg-type]  # just checked
    if size is None:
        raise arguments.invalid(
            argument, f"{value!r} is not a size: {SIZE_FORM}, above 0, at most 1000 TB"
        )
    return size


def _check_type(arguments: Arguments, argument: str, value: object, form: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise arguments.wrong(argument, value, form)
