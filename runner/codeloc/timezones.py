"""Whether a time zone exists."""

from __future__ import annotations

from codeloc.nearest import suggestion
from codeloc.zone_names import NAMES


def problem(name: str) -> str | None:
    """Why `name` is no IANA time zone, or None.

    The list in this package is asked first: it is the same on Python 3.8 and on images without a
    tz database. `zoneinfo` is asked about what is newer than the list.
    """
    if name in NAMES or name in _installed():
        return None
    return f"{name!r} is not an IANA time zone{suggestion(name, NAMES)}"


def _installed() -> set[str]:
    try:
        import zoneinfo  # novm: not in 3.8, and here because it costs more than all of this package
    except ImportError:  # Python 3.8
        return set()
    return zoneinfo.available_timezones()
