"""What a `uv.lock` says for itself; the rest of it is uv's own."""

from __future__ import annotations

import tomllib
from pathlib import Path

from codeloc_envs.text_file import read_text


def requires_of(lock: Path) -> str | None:
    """Its `requires-python`. A broken lock says nothing here: uv explains it better."""
    try:
        value = tomllib.loads(read_text(lock, "lock file")).get("requires-python")
    except tomllib.TOMLDecodeError:
        return None
    return value if isinstance(value, str) else None
