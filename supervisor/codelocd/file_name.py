"""File names for locations, whose own names may hold anything but `/`."""

from __future__ import annotations

import re
from hashlib import blake2b

_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,99}")


def file_name(location: str) -> str:
    """A file name for any name of a location, different for names that differ by case alone."""
    if _PLAIN.fullmatch(location):
        return location
    readable = re.sub(r"[^a-z0-9_.-]", "_", location.lower())[:80].lstrip(".")
    return f"{readable}-{blake2b(location.encode(), digest_size=6).hexdigest()}"
