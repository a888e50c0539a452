"""Reads what users have configured for pip, which uv does not do by itself."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from codeloc_envs.problem import shortage
from codeloc_envs.project.requirement_files import named_files

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
_NAMING_FILES = ("constraint", "build-constraint", "requirement", "requirements-from-script")
"""Options that name files, whose content decides what is installed."""
_HARMLESS_OPTIONS = (
    "break-system-packages cache-dir config-file default-timeout disable-pip-version-check log "
    "no-cache-dir no-color no-input no-python-version-warning no-warn-conflicts "
    "no-warn-script-location progress-bar python quiet require-virtualenv retries "
    "root-user-action timeout user verbose"
)
_HARMLESS = frozenset(_HARMLESS_OPTIONS.split())
"""Options that change nothing of what is installed."""


def options_unseen(variables: Mapping[str, str], home: Path) -> tuple[str, ...]:
    """Options that pip is configured with and that mean nothing to uv, sorted."""
    found = {option for file in pip_files(variables, home) for option in _read(file)}
    found |= {
        name.removeprefix("PIP_").replace("_", "-").lower()
        for name, value in variables.items()
        if name.startswith("PIP_") and value
    }
    return tuple(sorted(found - _HARMLESS - set(OPTIONS)))


def pip_settings(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """The options above that are set, in pip's order: the last file wins, variables over files.

    https://pip.pypa.io/en/stable/topics/configuration/
    """
    found: dict[str, str] = {}
    for file in pip_files(variables, home):
        found.update(_read(file))
    for option in OPTIONS:
        value = variables.get("PIP_" + option.replace("-", "_").upper())
        if value:
            found[option] = value
    return {option: found[option] for option in OPTIONS if found.get(option)}


def options_that_count(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """Whatever pip is configured with and that may change what it installs."""
    found: dict[str, str] = {}
    for file in pip_files(variables, home):
        found.update(_read(file))
    found |= {
        name.removeprefix("PIP_").replace("_", "-").lower(): value
        for name, value in variables.items()
        if name.startswith("PIP_") and value
    }
    return {name: value for name, value in found.items() if name not in _HARMLESS | {"cert"}}


def files_named_for_pip(
    variables: Mapping[str, str], home: Path, directory: Path
) -> Iterator[Path]:
    """The files that pip's options name, from where pip is started."""
    options = options_that_count(variables, home)
    for name in _NAMING_FILES:
        yield from named_files(options.get(name, ""), directory)


def pip_files(variables: Mapping[str, str], home: Path) -> Iterator[Path]:
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
    try:
        with open(file, encoding="utf-8") as lines:
            parser = configparser.RawConfigParser()
            parser.read_file(lines, str(file))
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        if shortage(error):
            raise
        return {}
    return {
        option.replace("_", "-"): value
        for section in _SECTIONS
        if parser.has_section(section)
        for option, value in parser.items(section)
    }
