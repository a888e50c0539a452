"""`codelocd init`: write a config, or a small project."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from codelocd.cli import local, output
from codelocd.cli.guard import ExitCode, Failure
from codelocd.config import discover

if TYPE_CHECKING:
    from codelocd.cli.scaffold import ScaffoldPlan


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--dagster", is_flag=True, help="Where there is no code yet: a small Dagster project."
)
def init_command(folder: Path, dagster: bool) -> None:
    """Write a config for the code in a folder, or a small project where there is none.

    Reads the Python files of DIR, or of the current folder, and writes a codelocd.toml with one
    location for each file that holds definitions. Where there is a config that `codelocd dev`
    takes as it is, nothing is written. No file is ever written over.

    \b
    codelocd init
    codelocd init shop
    codelocd init shop --dagster
    """
    here = Path(os.path.abspath(folder))
    if here.exists() and not here.is_dir():
        raise Failure(f"{here} is a file; name a folder", ExitCode.USAGE)
    plan = _planned(here, dagster)
    output.note(plan.why)
    above = discover(here.parent)
    if plan.files and above is not None:
        output.note(f"below {above.folder}, whose config no longer counts here: {above.taken}")
    _write(plan.files)
    _refuse_invalid(here)
    _tell_next(here, "codelocd dev --dagster" if plan.dagster else "codelocd dev")


def _planned(here: Path, dagster: bool) -> ScaffoldPlan:
    from codelocd.cli.scaffold import UnfinishedError, planned

    try:
        return planned(here, dagster=dagster)
    except UnfinishedError as error:
        raise Failure(str(error)) from None
    except FileExistsError as error:
        remedy = "name a folder that does not exist yet"
        raise Failure(f"{error} is there and would be written over; {remedy}") from None


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        output.say(f"wrote {path}")


def _refuse_invalid(here: Path) -> None:
    """Fail if the config that is there, or was written, has mistakes."""
    found = discover(here)
    if found is not None:
        local.config_in(found.path, activated=True)


def _tell_next(here: Path, command: str) -> None:
    enter = "" if here == Path.cwd() else f"cd {shlex.quote(os.path.relpath(here))} && "
    output.say(f"next: {enter}{command}")
