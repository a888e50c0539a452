"""Durations, sizes and shares as people read them."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """`42ms`, `4.2s`, `1m 15s`, `3h 5m`, `2d 4h`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    return _two_units(round(seconds))


def _two_units(seconds: int) -> str:
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit} {seconds % size // part}{part_unit}"
    return f"{seconds // 60}m {seconds % 60}s" if seconds >= 60 else f"{seconds}s"


def size(amount: int | None) -> str:
    """Bytes with a binary prefix (IEC 80000-13): `512 B`, `1.5 KiB`, `30 MiB`."""
    if amount is None:
        return "-"
    value, unit = float(amount), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 10 else f"{value:.0f} {unit}"


def share(fraction: float | None) -> str:
    """A fraction of one core in percent."""
    return "-" if fraction is None else f"{fraction * 100:.0f}%"
