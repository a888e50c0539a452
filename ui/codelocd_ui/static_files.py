"""The page's own files: read once, compressed when first asked for, at an address that changes."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
COMPRESSED = frozenset({".html", ".js", ".css", ".svg", ".txt"})
SHELL = "index.html"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """`body` is compressed by gzip where `encoding` says so."""

    body: bytes
    type: str
    encoding: str | None


class StaticFiles:
    """All files of the folder `static`, by their path below it; nothing else is ever read.

    `logs_in` False: the shell says that whoever can reach it is logged in.
    """

    def __init__(self, folder: Path = FOLDER, *, logs_in: bool = True) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
        contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        digest = hashlib.blake2b(digest_size=6)
        for name, content in contents.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.version = digest.hexdigest()
        shell = contents.pop(SHELL).replace(b"{version}", self.version.encode())
        if not logs_in:
            shell = shell.replace(b"<html ", b'<html data-login="proxy" ', 1)
        self.shell = _made(SHELL, shell)
        self._contents = contents
        self._made: dict[str, StaticFile] = {}

    def get(self, version: str, name: str) -> StaticFile | None:
        """None where there is no such file, or it is of another version."""
        if version != self.version:
            return None
        if name in self._contents:  # all at the start would take as long as the start itself
            self._made[name] = _made(name, self._contents.pop(name))
        return self._made.get(name)


def _made(name: str, content: bytes) -> StaticFile:
    suffix = Path(name).suffix
    if suffix not in COMPRESSED:
        return StaticFile(content, TYPES[suffix], None)
    return StaticFile(gzip.compress(content, mtime=0), TYPES[suffix], "gzip")
