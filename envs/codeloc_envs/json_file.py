"""Files that are replaced as a whole, and so never seen half-written; most hold JSON."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp"
"""The suffix of a file that is being written."""


def read_json(path: Path) -> Any | None:
    """None if the file is missing or holds no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_json(path: Path, data: Any) -> None:
    """Create or replace `path`, and its folder if needed; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(data, sort_keys=True))


def replace_text(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Create or replace `path`, in UTF-8: readers see the old text or the new one.

    `mode` less the umask is that of the new file. Raises OSError, and leaves nothing then.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
