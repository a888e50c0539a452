"""The daemon in the foreground, as `dev` and `serve` run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from codelocd.cli import local
from codelocd.cli.failures import Failure
from codelocd.model import Config


def run(
    mode: Literal["dev", "service"],
    here: local.Local,
    reread: Callable[[], Config],
    observer: Callable[[dict[str, Any]], None] | None,
) -> int:
    """Run until told to stop; the exit code. Failure where another daemon is in the way."""
    from codelocd import service
    from codelocd.lock import Busy

    local.make_folders(here.paths)
    try:
        return service.run(
            here.config, mode=mode, paths=here.paths, reread=reread, observer=observer
        )
    except Busy as busy:
        raise Failure(str(busy)) from None
