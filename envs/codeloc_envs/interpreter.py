"""One Python on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

Version = tuple[int, int, int, str, int]
"""As `sys.version_info`; its parts compare in the order of releases (alpha, beta, ..., final)."""

_STAGES = {"alpha": "a", "beta": "b", "candidate": "rc"}


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What changes when the file behind a path is replaced (size in bytes, time in ns)."""

    realpath: str
    size: int
    mtime: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity:
        """Raises OSError."""
        real = path.resolve(strict=True)
        stat = real.stat()
        return cls(str(real), stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def to_json(self) -> list[str | int]:
        return [self.realpath, self.size, self.mtime, self.inode]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a Python said of itself when it was asked, and the identity it had then.

    `abi` is the suffix of its extension modules: it names implementation, version,
    platform and flavour (`.cpython-313t-x86_64-linux-gnu.so`).
    """

    executable: Path
    identity: FileIdentity
    implementation: str
    version: Version
    free_threaded: bool
    abi: str
    machine: str

    @property
    def text(self) -> str:
        """`3.12.1`, `3.14.0rc2`."""
        return version_text(self.version)

    @property
    def label(self) -> str:
        """How it is called in a message: `3.12.1`, `3.13.0t`, `pypy3.10.14`."""
        name = "" if self.implementation == "cpython" else self.implementation
        return f"{name}{self.text}{'t' if self.free_threaded else ''}"

    @property
    def is_prerelease(self) -> bool:
        return self.version[3] != "final"

    def fingerprint(self) -> list[Any]:
        """What an environment built with it depends on."""
        return [*self.identity.to_json(), self.label, self.abi, self.machine]

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**data, "executable": str(self.executable), "identity": self.identity.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interpreter:
        major, minor, micro, level, serial = data["version"]
        return cls(
            **{
                **data,
                "executable": Path(data["executable"]),
                "identity": FileIdentity(*data["identity"]),
                "version": (major, minor, micro, level, serial),
            }
        )


def version_text(version: Version) -> str:
    """As packaging writes it."""
    major, minor, micro, level, serial = version
    stage = f"{_STAGES[level]}{serial}" if level in _STAGES else ""
    return f"{major}.{minor}.{micro}{stage}"


def python_of(prefix: Path) -> Path | None:
    """The interpreter of an environment or installation at `prefix`; a dangling link counts."""
    for name in ("python", "python3"):
        candidate = prefix / "bin" / name
        if os.path.lexists(candidate):
            return candidate
    return None
