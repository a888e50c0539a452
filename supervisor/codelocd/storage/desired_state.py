"""Which locations somebody stopped for good: `stop` holds until `start`, restarts included."""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from codeloc_envs.files import replace_text

log = structlog.get_logger()


class DesiredState:
    """The names of stopped locations, kept in a file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stopped = _read(path)
        self._written = frozenset(self._stopped)

    def is_wanted(self, name: str) -> bool:
        return name not in self._stopped

    def want(self, name: str) -> None:
        self._stopped.discard(name)
        self._write()

    def unwant(self, name: str) -> None:
        self._stopped.add(name)
        self._write()

    def _write(self) -> None:
        """What cannot be written now is obeyed all the same, and written with the next wish."""
        if self._written == self._stopped:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_text(self._path, json.dumps({"stopped": sorted(self._stopped)}))
        except OSError as error:
            log.warning(f"the next daemon will not know what is stopped: {error}")
        else:
            self._written = frozenset(self._stopped)


def _read(path: Path) -> set[str]:
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))["stopped"])
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError):
        path.replace(path.with_suffix(".broken"))
        return set()
