"""Installs units: what there is, what would be done, and doing it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from codeloc_envs.files import replace_text
from codelocd.cli.exit_codes import Failure
from codelocd.cli.units import USER, ServicePlace, UnitFile, accounts, is_as_written

UnitState = Literal["missing", "as written", "outdated", "edited", "packaged"]

USERS = Path("/etc/sysusers.d/codelocd.conf")


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One thing that is done, in words, and how. `act` raises OSError or CalledProcessError."""

    text: str
    act: Callable[[], object]


def place_of(*, user: bool, config: Path | None) -> ServicePlace:
    """Where this codelocd is, and where its units belong."""
    program = Path(sys.executable).with_name("codelocd")
    if not program.exists():
        found = shutil.which("codelocd")
        program = Path(found).absolute() if found else program
    if user:
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        folder, usual = home / "systemd" / "user", home / "codelocd" / "codelocd.toml"
    else:
        folder, usual = Path("/etc/systemd/system"), Path("/etc/codelocd/codelocd.toml")
    return ServicePlace(user, program, (config or usual).absolute(), folder)


def state_of(unit: UnitFile) -> UnitState:
    """How the file at the unit's path compares with the unit."""
    try:
        there = unit.path.read_text()
    except FileNotFoundError:
        return "missing"
    if there == unit.text:
        return "as written"
    return "outdated" if is_as_written(there) else "edited"


def packaged(unit: UnitFile, user: bool) -> Path | None:
    """The unit of the same name that a package of the system has brought."""
    kind = "user" if user else "system"
    folders = (Path("/usr/lib/systemd", kind), Path("/lib/systemd", kind))
    there = (folder / unit.path.name for folder in folders)
    return next((path for path in there if path.exists()), None)


def has_manager(user: bool) -> bool:
    """Whether systemd runs: for this machine, as sd_booted(3) tells, or for this user."""
    if not user:
        return os.path.isdir("/run/systemd/system")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return os.path.exists(os.path.join(runtime, "systemd", "private"))


def systemctl(user: bool, *words: str) -> list[str]:
    return ["systemctl", *(["--user"] if user else []), *words]


def ask_manager(user: bool, word: str, unit: str) -> str:
    """What `systemctl WORD UNIT` answers; "" where no manager can be asked."""
    if shutil.which("systemctl") is None or not has_manager(user):
        return ""
    done = subprocess.run(systemctl(user, word, unit), capture_output=True, text=True, check=False)
    return done.stdout.strip()


def verify(units: Iterable[UnitFile], user: bool) -> None:
    """Raises Failure with what systemd says about the units. It ends with 0 for keys that it
    does not know, so that any word counts."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        copies = []
        for unit in units:
            copies.append(os.path.join(folder, unit.path.name))
            Path(copies[-1]).write_text(unit.text)
        words = [analyze, *(["--user"] if user else []), "verify", *copies]
        environ = {"XDG_RUNTIME_DIR": folder, **os.environ}  # it wants one, also where nobody is
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)
        said = (done.stdout + done.stderr).replace(f"{folder}/", "").strip()
    if said:
        raise Failure(f"systemd does not take these units: {said}; nothing was changed")


def steps(
    place: ServicePlace,
    units: list[UnitFile],
    replaced: set[Path],
    *,
    activated: list[str],
    enable: bool,
    start: bool,
) -> list[InstallStep]:
    """All that an installation does, in order. `replaced`: edited units that are overwritten;
    `activated`: units that are enabled and started."""
    found = [] if place.user or _exists(USER) else [_make_user()]
    if not place.config.parent.is_dir():
        where = place.config.parent
        found.append(InstallStep(f"make {where}", lambda: where.mkdir(parents=True)))
    for unit in units:
        state = state_of(unit)
        if state != "as written" and (state != "edited" or unit.path in replaced):
            found.append(_write(unit, state))
    found += _told(place.user, ["daemon-reload"])
    if enable:
        found += _told(place.user, ["enable", *activated])
    if start:
        found += _told(place.user, ["restart", *activated])
    return found


def removal(place: ServicePlace, units: list[UnitFile], *, edited: bool) -> list[InstallStep]:
    """All that takes the units away again. `edited`: those that were edited, too."""
    kept = () if edited else ("edited",)
    there = [each for each in units if state_of(each) not in ("missing", *kept)]
    names = [each.path.name for each in there if "@" not in each.path.name]
    templates = [each.path.name for each in there if "@" in each.path.name]
    found = _told(place.user, ["disable", "--now", *names]) if names else []
    if (
        templates
    ):  # disabled with all that were made from them, which have to be stopped by a pattern
        found += _told(place.user, ["stop", *(name.replace("@", "@*") for name in templates)])
        found += _told(place.user, ["disable", *templates])
    found += [InstallStep(f"remove {each.path}", each.path.unlink) for each in there]
    return [*found, *(_told(place.user, ["daemon-reload"]) if there else [])]


def _told(user: bool, words: list[str]) -> list[InstallStep]:
    """Nothing where no systemd runs, as in the making of an image."""
    if not has_manager(user):
        return []
    command = systemctl(user, *words)
    return [InstallStep(" ".join(command), lambda: _run(command))]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _write(unit: UnitFile, state: UnitState) -> InstallStep:
    def act() -> None:
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        if state == "edited":
            unit.path.rename(unit.path.with_name(f"{unit.path.name}.old"))
        replace_text(unit.path, unit.text, mode=0o644)
        unit.path.chmod(0o644)  # whatever the umask: all users may read what runs

    kept = f", keep what is there as {unit.path.name}.old" if state == "edited" else ""
    verb = {"missing": "write", "outdated": "bring up to date", "edited": "overwrite"}
    return InstallStep(f"{verb.get(state, 'write')} {unit.path}{kept}", act)


def _make_user() -> InstallStep:
    def act() -> None:
        if shutil.which("systemd-sysusers"):
            USERS.parent.mkdir(parents=True, exist_ok=True)
            USERS.write_text(accounts())
            _run(["systemd-sysusers", str(USERS)])
        else:
            _run(["useradd", "--system", "--home-dir", "/var/lib/codelocd", "--user-group", USER])

    return InstallStep(f"make the user {USER}", act)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def out_of_reach(place: ServicePlace) -> str | None:
    """The first folder on the way to codelocd, or its Python, that the service's user cannot pass
    through; None where there is none."""
    if place.user:
        return None
    for path in (place.program, Path(sys.executable).resolve(), place.config.parent):
        for folder in (*reversed(path.parents), path):
            if folder.exists() and not folder.stat().st_mode & 0o001 and not _is_its_own(folder):
                return str(folder)
    return None


def _is_its_own(folder: Path) -> bool:
    try:
        account = pwd.getpwnam(USER)
    except KeyError:
        return False
    found = folder.stat()
    groups = os.getgrouplist(USER, account.pw_gid)
    return found.st_uid == account.pw_uid or (found.st_gid in groups and found.st_mode & 0o010 != 0)


def refuse_without_systemd() -> None:
    """Raises Failure where units are of no use."""
    if sys.platform == "darwin":
        _refuse(
            "macOS has launchd, not systemd; "
            "codelocd service print --user > ~/Library/LaunchAgents/codelocd.plist, "
            "then launchctl bootstrap gui/$UID ~/Library/LaunchAgents/codelocd.plist"
        )
    if shutil.which("systemctl") is None:
        _refuse("there is no systemd on this machine; run `codelocd serve` by what starts services")


def refuse_without_root(place: ServicePlace, command: str) -> None:
    """Raises Failure where this user may not install for the machine."""
    if not place.user and os.geteuid() != 0:
        again = f"sudo {place.program} service {command}"
        _refuse(f"the machine's units are root's: {again}, or --user for a service of your own")


def _refuse(text: str) -> NoReturn:
    raise Failure(text)
