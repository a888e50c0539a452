"""The secret of the page's links and sessions: made once, kept in a file of its owner's alone."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

SECRET_BYTES = 32
SHOWN_BYTES = 24
"""Of each value that is made of the secret: 192 bits, 32 letters."""


class UnsafeSecret(Exception):
    """The file of the secret is not its owner's alone; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Session:
    """What is made of the secret for one daemon.

    `token` stands in the link, and is given for both halves: `cookie`, which the browser keeps, and
    `header`, which the page's own scripts send with every request.
    """

    token: str
    cookie: str
    header: str


def session(secret: bytes, daemon: str) -> Session:
    """The session of the page of the daemon at the socket `daemon`; the same after each start."""

    def made(purpose: str) -> str:
        digest = hmac.digest(secret, f"{purpose}\0{daemon}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:SHOWN_BYTES]).decode()

    return Session(made("token"), made("cookie"), made("header"))


def is_same(told: str, right: str) -> bool:
    """Compared in a time that does not depend on how much of it is right."""
    return hmac.compare_digest(told.encode("utf-8", "replace"), right.encode())


def kept(path: Path, *, renew: bool = False) -> bytes:
    """The secret in the file at `path`, made where there is none, or where `renew` asks for it.

    The file is no link, has mode 0600 and is ours; raises UnsafeSecret where it is not so, and
    OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if renew:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    with contextlib.suppress(FileExistsError):
        _make(path)
    return _read(path)


def _make(path: Path) -> None:
    """Written beside and linked to its place, so that no reader finds half of it."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(beside, flags, 0o600), "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
    try:
        os.link(beside, path)
    finally:
        beside.unlink()


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise UnsafeSecret(f"{path}: {error.strerror}; remove it, another is made") from None
    with open(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if state.st_uid != os.geteuid() or stat.S_IMODE(state.st_mode) & 0o077:
            raise UnsafeSecret(f"{path} can be read by other users; remove it, another is made")
        secret = file.read(SECRET_BYTES + 1)
    if len(secret) != SECRET_BYTES:
        raise UnsafeSecret(f"{path} is not a secret of {SECRET_BYTES} bytes; remove it")
    return secret
