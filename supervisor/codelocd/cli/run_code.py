"""Writes the files that a run executed into a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from codelocd.cli.exit_codes import Failure


def written(texts: Mapping[str, str], folder: Path) -> Iterator[Path]:
    """The files, below what their folders have in common."""
    if folder.exists() and any(folder.iterdir()):
        raise Failure(f"{folder} is not empty; name a new folder")
    if not texts:
        raise Failure("no files are kept of this run")
    common = os.path.commonpath([os.path.dirname(path) for path in texts])
    for path, text in texts.items():
        file = folder / os.path.relpath(os.path.normpath(path), common)
        if not file.resolve().is_relative_to(folder.resolve()):
            raise Failure(f"{path} is in no folder of the others; see it without -o")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        yield file
