"""The daemon in the foreground, as `dev` and `serve` run it."""

from __future__ import annotations

import grp
from collections.abc import Callable
from typing import Any, Literal

from codelocd.cli import local
from codelocd.cli.guard import ExitCode, Failure
from codelocd.model import Config


def run(
    mode: Literal["dev", "service"],
    here: local.Local,
    reread: Callable[[], Config],
    observer: Callable[[dict[str, Any]], None] | None,
) -> int:
    """Run until told to stop; the exit code. Failure where another daemon is in the way."""
    from codelocd.daemon import service
    from codelocd.storage.lock import Busy

    group = here.config.daemon.socket_group
    if group is not None:
        _refuse_unknown(group)
    local.make_folders(here.paths, shared=group is not None)
    try:
        return service.run(
            here.config, mode=mode, paths=here.paths, reread=reread, observer=observer
        )
    except Busy as busy:
        raise Failure(str(busy)) from None


def _refuse_unknown(group: str) -> None:
    try:
        grp.getgrnam(group)
    except KeyError:
        what = f"[daemon] socket_group: there is no group {group!r}; create it, or name another"
        raise Failure(what, ExitCode.USAGE) from None
