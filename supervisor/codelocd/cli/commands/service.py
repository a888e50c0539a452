"""`codelocd service`: install codelocd as a service of this machine or of a user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from codelocd.cli import installation, output
from codelocd.cli.app import Commands
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.installation import InstallStep, place_of
from codelocd.cli.options import json_option
from codelocd.cli.units import USER, ServicePlace, UnitFile, launch_agent, unit_files

F = TypeVar("F", bound=Callable[..., Any])

COMMANDS = ("install", "print", "status", "uninstall")


@click.group(
    "service",
    cls=Commands,
    sections={"Commands": COMMANDS},
    modules=dict.fromkeys(COMMANDS, "service"),
    no_args_is_help=True,
)
def service_command() -> None:
    """Install codelocd as a service of systemd, for this machine or for you.

    The units start this codelocd, from where it is installed. A unit that you have edited is
    overwritten only if you say so; better change units with `systemctl edit`.

    \b
    sudo codelocd service install --start        /etc/codelocd/codelocd.toml, at boot and now
    codelocd service install --user --start      ~/.config/codelocd/codelocd.toml, as you
    sudo systemctl enable --now codelocd@shop    one more daemon, for /etc/codelocd/shop.toml
    """


def _placed(command: F) -> F:
    user = click.option("--user", is_flag=True, help="Your own service, not the machine's.")
    config = click.option(
        "-c", "--config", "config", metavar="FILE", type=click.Path(path_type=Path),
        help="The config that it runs; by default codelocd.toml in /etc/codelocd, or in "
        "~/.config/codelocd.",
    )  # fmt: skip
    return user(config(command))


_dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask; needed without a terminal.")


@click.command("install")
@_placed
@click.option("--enable", is_flag=True, help="Start it at boot, or when you log in.")
@click.option("--start", is_flag=True, help="Enable it, and start it now, anew if it runs.")
@click.option("--socket", "passed", is_flag=True, help="With codelocd.socket: systemd listens.")
@click.option("--force", is_flag=True, help="Overwrite edited units; they are kept as NAME.old.")
@_dry_run
@_yes
def install_command(
    user: bool,
    config: Path | None,
    enable: bool,
    start: bool,
    passed: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Write the units, add the user `codelocd`, and enable and start the service on request.

    It shows what it will do, and asks. systemd checks the units before anything is written.

    \b
    codelocd service install --dry-run
    sudo codelocd service install --config /srv/shop/codelocd.toml --start
    """
    if passed and user:
        raise click.UsageError("there is no codelocd.socket for a user; leave out --socket")
    installation.refuse_without_systemd()
    place = place_of(user=user, config=config)
    units = unit_files(place)
    installation.verify(units, user)
    edited = [each for each in units if installation.state_of(each) == "edited"]
    activated = ["codelocd.service", *(["codelocd.socket"] if passed else [])]
    found = installation.steps(
        place,
        units,
        {each.path for each in edited} if force else set(),
        activated=activated[::-1],  # a service that runs already cannot be given a socket
        enable=enable or start,
        start=start,
    )
    _show(found)
    for note in _notes(place, units, [] if force else edited):
        output.note(note)
    if dry_run or not found:
        return ExitCode.DONE
    installation.refuse_without_root(place, "install")
    return _do(found, yes)


def _notes(place: ServicePlace, units: list[UnitFile], edited: list[UnitFile]) -> list[str]:
    brought = [path for each in units if (path := installation.packaged(each, place.user))]
    notes = [f"{path} comes with a package; what is written here wins over it" for path in brought]
    notes += [f"{each.path} was edited: --force overwrites it, and keeps a copy" for each in edited]
    if not place.config.exists():
        notes.append(f"{place.config} is not there yet: the service needs it to start")
    closed = installation.out_of_reach(place)
    if closed is not None:
        notes.append(
            f"the user {USER} cannot pass through {closed}, where codelocd, its Python or its "
            "config is: put them where that user can, such as into /opt"
        )
    return notes


@click.command("print")
@_placed
def print_command(user: bool, config: Path | None) -> None:
    """Print the units, each below its path; on macOS the property list of launchd.

    \b
    codelocd service print --user
    """
    place = place_of(user=user, config=config)
    if sys.platform == "darwin":
        output.say(launch_agent(place).decode().rstrip())
        return
    for unit in unit_files(place):
        output.say(f"# {unit.path}\n{unit.text}")


@click.command("uninstall")
@_placed
@click.option("--force", is_flag=True, help="Remove edited units, too.")
@_dry_run
@_yes
def uninstall_command(
    user: bool, config: Path | None, force: bool, dry_run: bool, yes: bool
) -> int:
    """Stop the service and remove its units. Config, state, environments and user stay.

    \b
    sudo codelocd service uninstall
    """
    installation.refuse_without_systemd()
    place = place_of(user=user, config=config)
    units = unit_files(place)
    found = installation.removal(place, units, edited=force)
    _show(found)
    for each in units:
        if installation.state_of(each) == "edited" and not force:
            output.note(f"{each.path} was edited and stays, unless you give --force")
    if dry_run or not found:
        return ExitCode.DONE
    installation.refuse_without_root(place, "uninstall")
    return _do(found, yes)


@click.command("status")
@_placed
@json_option
def status_command(user: bool, config: Path | None, as_json: bool) -> int:
    """Show which units are installed, whether they were edited, and what systemd says of them.

    "outdated": written by another codelocd, or for another place or config; `install` brings it up
    to date. "packaged": it came with a package of the system. Ends with 1 where none is installed.

    \b
    codelocd service status
    """
    place = place_of(user=user, config=config)
    rows = []
    for unit in unit_files(place):
        state, name = installation.state_of(unit), unit.path.name
        path = str(unit.path)
        if state == "missing" and (brought := installation.packaged(unit, user)) is not None:
            path, state = str(brought), "packaged"
        asked = state != "missing" and "@" not in name
        enabled = installation.ask_manager(user, "is-enabled", name) if asked else ""
        active = installation.ask_manager(user, "is-active", name) if asked else ""
        rows.append({"unit": path, "file": state, "enabled": enabled, "active": active})
    if as_json:
        output.document(rows)
    else:
        for row in rows:
            words = [row["unit"], row["file"], row["enabled"], row["active"]]
            output.say("  ".join(word for word in words if word))
    installed = any(row["file"] != "missing" for row in rows)
    return ExitCode.DONE if installed else ExitCode.FAILED


def _show(found: list[InstallStep]) -> None:
    for step in found:
        output.say(step.text)
    if not found:
        output.say("nothing to do")


def _do(found: list[InstallStep], yes: bool) -> int:
    if not yes:
        if not sys.stdin.isatty():
            raise Failure("nothing was changed; give --yes to do that without a terminal")
        if not click.confirm("Do that?", err=True):
            raise Failure("nothing was changed")
    for step in found:
        try:
            step.act()
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "").strip()
            raise Failure(f"{step.text}: {said or f'ended with {error.returncode}'}") from None
        except OSError as error:
            raise Failure(f"{step.text}: {error.strerror}") from None
    return ExitCode.DONE
