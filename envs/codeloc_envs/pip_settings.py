"""What pip is configured with: uv reads none of it."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

OPTIONS = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "cert",
    "trusted-host",
    "proxy",
    "keyring-provider",
)
_SECTIONS = ("global", "install")


def pip_settings(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """The options above that are set, in pip's order: the last file wins, variables over files.

    https://pip.pypa.io/en/stable/topics/configuration/
    """
    found: dict[str, str] = {}
    for file in _files(variables, home):
        found.update(_read(file))
    for option in OPTIONS:
        value = variables.get("PIP_" + option.replace("-", "_").upper())
        if value:
            found[option] = value
    return {option: found[option] for option in OPTIONS if found.get(option)}


def _files(variables: Mapping[str, str], home: Path) -> Iterator[Path]:
    configured = variables.get("PIP_CONFIG_FILE")
    if configured == os.devnull:
        return
    for folder in variables.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
        yield Path(folder, "pip/pip.conf")
    yield Path("/etc/pip.conf")
    if sys.platform == "darwin":
        yield Path("/Library/Application Support/pip/pip.conf")
        yield home / "Library/Application Support/pip/pip.conf"
    yield home / ".pip/pip.conf"
    yield Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    yield Path(sys.prefix, "pip.conf")
    if configured:
        yield Path(configured)


def _read(file: Path) -> dict[str, str]:
    """Nothing from a file that is missing or that pip itself would refuse."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError):
        return {}
    return {
        option.replace("_", "-"): value
        for section in _SECTIONS
        if parser.has_section(section)
        for option, value in parser.items(section)
    }
