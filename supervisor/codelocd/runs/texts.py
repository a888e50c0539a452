"""The texts of the code that runs execute: a file for each, named by its digest.

A runner that is told of the folder writes there what it loads. For one that was not, the texts are
taken from the disk, as long as they are what it loaded.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from codeloc_envs.files import LARGEST, make_folder, read_bytes

DIGEST_BYTES = 16
"""As runners take them (`codeloc_runner.load.sources`)."""
_DIGEST = re.compile(rf"[0-9a-f]{{{2 * DIGEST_BYTES}}}")


class TextOwner(Protocol):
    """The user as whom the code runs, and its group."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...


def keep_texts(
    folder: Path, sources: Mapping[str, str], owner: TextOwner | None = None
) -> list[str]:
    """Have the folder hold the text of each source, digests by path; those that are lost.

    `owner`: whose the texts are; None: this process's user. Raises OSError where the folder cannot
    be written.
    """
    make_folder(folder)
    lost = []
    for path, digest in sources.items():
        if kept_text(folder, digest) is not None:
            continue
        try:
            data = read_bytes(Path(path))
        except OSError:
            data = b""
        if digest_of(data) == digest:
            keep_text(folder, digest, data, owner)
        else:
            lost.append(path)
    return lost


def digest_of(data: bytes) -> str:
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def is_digest(name: Any) -> bool:
    """Whether it can be one: as part of a path it leads nowhere else."""
    return type(name) is str and _DIGEST.fullmatch(name) is not None


def keep_text(folder: Path, name: str, data: bytes, owner: TextOwner | None = None) -> None:
    """A file of that name, whole or not at all. Raises OSError.

    The folder may be another user's: no link in it is followed.
    """
    new = folder / f"{name}.{os.getpid()}.{os.urandom(4).hex()}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(new, flags, 0o600), "wb") as file:
        if owner is not None:
            os.fchown(file.fileno(), owner.uid, owner.gid)
        file.write(data)
    new.rename(folder / name)


def kept_text(folder: Path, name: str) -> bytes | None:
    """None where it is not there, or is not what its name says."""
    with contextlib.suppress(OSError):
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(folder / name, flags)
        with open(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                data = file.read(LARGEST + 1)
                return data if digest_of(data) == name else None
    return None


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
