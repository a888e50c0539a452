"""The units of systemd, and the plist of launchd, that start this codelocd.

The texts come with codelocd (`systemd/` of its source). They are changed only where they name the
program and its config.
"""

from __future__ import annotations

import hashlib
import plistlib
import re
from dataclasses import dataclass
from pathlib import Path

import codelocd

PROGRAMS = ("/opt/codelocd/bin/codelocd", "%h/.local/bin/codelocd")
CONFIGS = ("/etc/codelocd/codelocd.toml", "%h/.config/codelocd/codelocd.toml")
"""What the texts name."""

USER = "codelocd"
"""The user that the system's service runs as."""

MARK = "# Written by `codelocd service install`; sha256 of the lines above: "
"""The last line of an installed unit. By it an edited unit is told from one that is as written."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """A unit, and where it is installed."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class ServicePlace:
    """What a service starts, and where its units are. `user`: of one user, not of the machine."""

    user: bool
    program: Path
    config: Path
    folder: Path


def unit_files(place: ServicePlace) -> list[UnitFile]:
    """All units for this place, each with its mark. Raises FileNotFoundError where codelocd came
    without its units."""
    return [
        UnitFile(place.folder / name, marked(_placed(text, place, name)))
        for name, text in sorted(unit_texts(place.user).items())
    ]


def unit_texts(user: bool) -> dict[str, str]:
    """All units by name, the template of several daemons among them, for a codelocd in /opt.
    Raises FileNotFoundError."""
    found = _shipped(user)
    if not user:
        found |= {
            name.replace(".", "@.", 1): _of_an_instance(text)
            for name, text in found.items()
            if name in ("codelocd.service", "codelocd.socket")
        }
    return found


def _shipped(user: bool) -> dict[str, str]:
    where = _folder() / "user" if user else _folder()
    return {
        each.name: each.read_text()
        for kind in ("*.service", "*.socket")
        for each in where.glob(kind)
    }


def accounts() -> str:
    """The user that the service runs as, in the words of sysusers.d(5)."""
    return (_folder() / "sysusers.conf").read_text()


def _folder() -> Path:
    package = Path(codelocd.__file__).parent
    for folder in (package / "units", package.parents[1] / "systemd"):  # installed; a checkout
        if (folder / "codelocd.service").exists():
            return folder
    raise FileNotFoundError(f"codelocd came without its units: {package / 'units'}")


def _placed(text: str, place: ServicePlace, name: str) -> str:
    for former in PROGRAMS:
        text = _replaced(
            text, rf"^(Exec\w+=(?:/bin/sh -c '.*' )?){re.escape(former)}(?= )", place.program
        )
    if "@" not in name:
        for former in CONFIGS:
            text = _replaced(text, rf"^(Exec\w+=.* -c ){re.escape(former)}$", place.config)
    return text


def _replaced(text: str, pattern: str, path: Path) -> str:
    """What follows the first group is replaced by the path."""
    word = _word(path)
    return re.sub(pattern, lambda found: f"{found[1]}{word}", text, flags=re.MULTILINE)


def _word(path: Path) -> str:
    """One word of a command in a unit, as systemd.service(5) has it."""
    text = str(path).replace("%", "%%").replace("$", "$$")
    if re.search(r"[\s\"'\\;]", text):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def _of_an_instance(text: str) -> str:
    """The template `codelocd@` that is like the unit: `%i` names config, folders and socket."""
    for pattern, replacement in (
        (r"^(Description=.*)$", r"\1 (%i)"),
        (r"^((?:State|Runtime|Cache|Logs)Directory=codelocd)$", r"\1-%i"),
        (r"/var/(lib|cache|log)/codelocd\b", r"/var/\1/codelocd-%i"),
        (r"/run/codelocd\b", "/run/codelocd-%i"),
        (r"/etc/codelocd/codelocd\.toml", "/etc/codelocd/%i.toml"),
        (r"\bcodelocd\.(service|socket)\b", r"codelocd@.\1"),
    ):
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def marked(text: str) -> str:
    """The text with the line by which an edit is noticed."""
    body = text.rstrip("\n") + "\n"
    return f"{body}{MARK}{hashlib.sha256(body.encode()).hexdigest()}\n"


def is_as_written(text: str) -> bool:
    """Whether no one has edited the unit since it was installed."""
    body, mark, _ = text.rpartition(MARK)
    return bool(mark) and marked(body) == text


def launch_agent(place: ServicePlace) -> bytes:
    """The property list of launchd for macOS (launchd.plist(5)). launchd neither waits for the
    daemon to be ready nor watches it, but starts it again."""
    logs = "/Library/Logs" if not place.user else str(Path.home() / "Library" / "Logs")
    kind = "--user" if place.user else "--system"
    return plistlib.dumps(
        {
            "Label": "codelocd",
            "ProgramArguments": [str(place.program), "serve", kind, "-c", str(place.config)],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ExitTimeOut": 60,
            "ProcessType": "Interactive",
            "StandardOutPath": f"{logs}/codelocd.log",
            "StandardErrorPath": f"{logs}/codelocd.log",
        }
    )
