"""Decides which files, found by searching, may decide what is run."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.files import seen_bytes
from codeloc_envs.ownership import distrusted, own_users
from codelocd.config.errors import ConfigError, Mistake
from codelocd.core.config_files import CODELOCD_TOML

ANYWHERE = "*"


def check_found(path: Path, environ: Mapping[str, str], owners: Iterable[int] = ()) -> None:
    """Refuse a file that was found by searching, and that somebody else than the caller, root and
    the `owners` decides about: ConfigError.

    As git does with repositories (`safe.directory`); `[daemon] trusted` in the user's own config,
    or in the system's, names the folders where it is meant all the same.
    """
    why = distrusted(path, own_users(environ).union(owners))
    if why is None or _is_allowed(path, environ):
        return
    what = f"is not taken: {why}, and it decides what is run as you (user {os.geteuid()})"
    own = _own_settings(environ)
    how = f'if you trust it, add "{path.parent}" to `trusted` under [daemon] in {own}'
    raise ConfigError([Mistake(str(path), None, (), what, how)])


def remark(path: Path, environ: Mapping[str, str]) -> str | None:
    """What to say of a config that was named: it is taken, even if other users can change it."""
    why = distrusted(path, own_users(environ))
    return f"{path} decides what is run, and {why}" if why else None


def is_settings(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether `[daemon] trusted` means anything there."""
    return path in _settings(environ)


def _is_allowed(path: Path, environ: Mapping[str, str]) -> bool:
    places = [path.parent, Path(os.path.realpath(path.parent))]
    for text in _trusted(environ):
        folder = os.path.expanduser(text)
        if text == ANYWHERE or any(place.is_relative_to(folder) for place in places):
            return True
    return False


def _trusted(environ: Mapping[str, str]) -> Iterator[str]:
    """What the settings say; those that others decide about themselves say nothing."""
    for file in _settings(environ):
        if distrusted(file, (os.geteuid(), 0)) is None:
            daemon = _parsed(seen_bytes(file)).get("daemon")
            listed = daemon.get("trusted") if isinstance(daemon, dict) else None
            yield from (text for text in listed or () if isinstance(text, str) and text)


def _parsed(data: bytes | None) -> dict[str, Any]:
    try:
        return tomllib.loads((data or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}


def _settings(environ: Mapping[str, str]) -> tuple[Path, ...]:
    return (_own_settings(environ), Path("/etc/codelocd", CODELOCD_TOML))


def _own_settings(environ: Mapping[str, str]) -> Path:
    given = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(given, "codelocd", CODELOCD_TOML)
