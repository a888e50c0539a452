"""Durations, sizes and points of time as people write them. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from codelocd.config.errors import UnfitError

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", start=1)},
}
"""Prefixes of the SI and of IEC 80000-13."""

LARGEST = 1e15
"""Thirty million years, or a petabyte: beyond is a slip of the finger."""


def seconds(value: object) -> float:
    """A duration in seconds from a number of seconds or from text such as `100ms`; UnfitError."""
    amount = _amount(value, SECONDS, 'write seconds, or text such as "100ms", "30s", "5min", "1h"')
    return float(amount)


def size(value: object) -> int:
    """Bytes from a number of bytes or from text such as `2GiB`; UnfitError."""
    amount = _amount(value, BYTES, 'write bytes, or text such as "512MiB", "2GiB"')
    return round(amount)


def duration_text(amount: float) -> str:
    """Seconds as a config has them, in the largest unit of which they are whole: `90s`, `100ms`."""
    thousandths = round(amount * 1000)
    if not math.isclose(thousandths, amount * 1000):
        return f"{amount:g}s"
    return _text(thousandths, {unit: round(each * 1000) for unit, each in SECONDS.items()}, "s")


def size_text(amount: int) -> str:
    """The same of bytes: `100MiB`, `2GB`, `1000001B`."""
    return _text(amount, BYTES, "B")


def _text(amount: int, units: Mapping[str, int], zero: str) -> str:
    fitting = [unit for unit, each in units.items() if amount % each == 0]
    unit = max(fitting, key=units.__getitem__) if amount else zero
    return f"{amount // units[unit]}{unit}"


def moment(text: str, now: datetime) -> float:
    """Unix seconds of `10min` before `now`, of `14:30` on its day, of a date, of a date and a time.

    Without a zone the time is that of `now`. Raises ValueError.
    """
    try:
        return (now - timedelta(seconds=seconds(text))).timestamp()
    except (UnfitError, OverflowError):
        pass
    if ":" in text and "-" not in text.partition(":")[0]:
        text = f"{now:%Y-%m-%d} {text}"
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.astimezone()).timestamp()


def pattern(units: Mapping[str, float]) -> str:
    """What text of a quantity looks like, as a regular expression of JSON Schema."""
    return rf"^([0-9]+(?:\.[0-9]+)?) ?({'|'.join(units)})$"


def _amount(value: object, units: Mapping[str, float], remedy: str) -> float:
    amount = _parsed(value, units) if isinstance(value, str) else value
    if isinstance(amount, int | float) and not isinstance(amount, bool) and abs(amount) <= LARGEST:
        return amount
    raise UnfitError(f"is neither a number nor a number with one of {', '.join(units)}", remedy)


def _parsed(text: str, units: Mapping[str, float]) -> float | None:
    match = re.fullmatch(pattern(units), text)
    return float(match[1]) * units[match[2]] if match else None
