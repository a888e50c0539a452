"""The texts of the code that runs execute: a file for each, named by its digest.

A runner that is told of the folder writes there what it loads. For one that was not, the texts are
taken from the disk, as long as they are what it loaded.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping
from hashlib import blake2b
from pathlib import Path

from codeloc_envs.files import make_folder

DIGEST_BYTES = 16
"""As runners take them (`codeloc_runner.load.sources`)."""


def keep_texts(folder: Path, sources: Mapping[str, str]) -> list[str]:
    """Have the folder hold the text of each source, digests by path; those that are lost.

    Raises OSError where the folder cannot be written.
    """
    make_folder(folder)
    lost = []
    for path, digest in sources.items():
        if (folder / digest).exists():
            continue
        try:
            data = Path(path).read_bytes()
        except OSError:
            data = b""
        if blake2b(data, digest_size=DIGEST_BYTES).hexdigest() == digest:
            _write(folder / digest, data)
        else:
            lost.append(path)
    return lost


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_bytes(data)
    new.rename(path)


def remove_texts(folder: Path, kept: Collection[str]) -> int:
    """Remove those whose digest is not among `kept`; how many that were.

    Not while an attempt starts or a runner loads: what these wrote just now is in no manifest yet.
    """
    removed = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name not in kept:
                with contextlib.suppress(OSError):
                    (folder / name).unlink()
                    removed += 1
    return removed
