"""The paths of control sockets. Plain strings and few imports: `codelocd status` must start at
once."""

from __future__ import annotations

import os
from _blake2 import blake2b  # `hashlib` would load OpenSSL: 3 ms of each command

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Callable, Mapping

SYSTEM = "/run/codelocd"
"""The runtime folder of the daemon that serves a whole machine."""

CONTROL = "control.sock"


def runtime_folder(
    environ: Mapping[str, str], uid: int, is_folder: Callable[[str], bool] = os.path.isdir
) -> str:
    """The user's folder for sockets: $XDG_RUNTIME_DIR, /run/user/UID, or one in the temporary one.

    The rule is the XDG Base Directory Specification's, with the fallback it asks for.
    """
    given = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(given):
        return given
    usual = f"/run/user/{uid}"
    return usual if is_folder(usual) else fallback_folder(environ, uid)


def fallback_folder(environ: Mapping[str, str], uid: int) -> str:
    """The folder that stands in for a runtime folder; its user checks that it is their own."""
    return os.path.join(environ.get("TMPDIR") or "/tmp", f"codelocd-{uid}")  # noqa: S108 checked


def instance(project: str) -> str:
    """NAME-HASH of a project's dev daemon: readable, and unlike that of any other folder.

    `project` is absolute, without symbolic links.
    """
    name = os.path.basename(project) or "root"
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    digest = blake2b(os.fsencode(project), digest_size=4).hexdigest()
    return f"{readable[:40]}-{digest}"


def user_folder(runtime: str) -> str:
    """The folder of the user's service, and of the folders of their dev daemons."""
    return os.path.join(runtime, "codelocd")


def dev_folder(project: str, runtime: str) -> str:
    """The folder of one project's dev daemon."""
    return os.path.join(user_folder(runtime), instance(project))


def control(folder: str) -> str:
    """The control socket of the daemon that has this folder."""
    return os.path.join(folder, CONTROL)
