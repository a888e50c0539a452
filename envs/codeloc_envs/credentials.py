"""Reads secrets that a service manager hands over, each in a file of its own
(https://systemd.io/CREDENTIALS/)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from codeloc_envs.ownership import distrusted, own_users

FOLDER = "CREDENTIALS_DIRECTORY"
"""The variable that names the folder (systemd.exec(5))."""

NAME = re.compile(r"(?!\.\.?$)[ -.0-9;-~]{1,255}")
"""What systemd takes for a name: a file's, of ASCII, without a colon (`credential_name_valid`)."""

LARGEST = 128 * 1024
"""Bytes that are read: more than one variable can have (MAX_ARG_STRLEN, execve(2))."""


class NoCredential(Exception):
    """A credential cannot be had: `what` is wrong, and the `remedy`. Neither has its content."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


def read(name: str, variables: Mapping[str, str]) -> str:
    """The text of a credential, without the end of its last line. Blocks. Raises NoCredential.

    `variables`: those of the service, one of which names the folder. What other users than root and
    the service's own could have put there is refused.
    """
    folder = variables.get(FOLDER)
    if not folder:
        raise NoCredential(
            f'the credential "{name}" is asked for, and ${FOLDER} is not set',
            f"give it to the service (LoadCredential={name}:/PATH), or set {FOLDER}",
        )
    if not NAME.fullmatch(name):
        raise NoCredential(f'"{name}" is not a name for a credential', "name a file of the folder")
    file = Path(folder, name)
    try:
        text = _content(file, variables)
    except FileNotFoundError:
        what = f"the credential {file} cannot be read: {os.strerror(2)}"
        remedy = f"give it to the service (LoadCredential={name}:/PATH), and restart that"
        raise NoCredential(what, remedy) from None
    except OSError as error:
        what = f"the credential {file} cannot be read: {error.strerror}"
        raise NoCredential(what, "see who may read it") from None
    except ValueError as error:
        what = f"the credential {file} {error}"
        raise NoCredential(what, "put a text into it that a variable can have") from None
    return text.removesuffix("\n").removesuffix("\r")


def _content(file: Path, variables: Mapping[str, str]) -> str:
    """Raises OSError, ValueError, NoCredential."""
    if reason := distrusted(file, own_users(variables)):
        what = f"the credential {file} is not taken: {reason}"
        raise NoCredential(what, "have root or the service's own user own it, and write it alone")
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("is no file")
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"has more than {LARGEST} bytes")
    if b"\0" in content:
        raise ValueError("has a null character")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
