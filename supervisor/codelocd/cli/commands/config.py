"""`codelocd config`: check a config, see what becomes of it, get its schema."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from codelocd.cli import exit_codes, local, output
from codelocd.cli.app import Commands
from codelocd.cli.exit_codes import ExitCode
from codelocd.cli.options import config_file, json_option
from codelocd.config import Mistake, describe, examine, json_schema, written
from codelocd.render.text import plural

COMMANDS = ("validate", "show", "schema")


@click.group(
    "config",
    cls=Commands,
    sections={"Commands": COMMANDS},
    modules=dict.fromkeys(COMMANDS, "config"),
    no_args_is_help=True,
)
def config_command() -> None:
    """Check a config, see what becomes of it, and get its schema for an editor."""


@click.command("validate")
@config_file
@json_option
def validate_command(file: Path | None, as_json: bool) -> int:
    """Check a config: one line for every mistake, with its place and what to do.

    Without FILE the one that `codelocd dev` would take. Reads every format that `dev` reads, and
    looks at what it names: files and folders, requirements and Python versions, modules. `dev`
    and `serve` do not refuse such a config: what is missing may appear, and the other locations
    run. Ends with 2 if there is a mistake, and with 1 if the config lists no location where another
    one beside it does.

    \b
    codelocd config validate
    codelocd config validate deploy/codelocd.toml
    """
    path = file or local.found_config()
    config, mistakes = examine(path, os.environ, local.pythons, local.choice)
    if mistakes or config is None:
        return _invalid(mistakes, as_json=as_json)
    elsewhere = None if config.locations else local.listed_beside(path.absolute())
    if elsewhere:
        what, other = elsewhere
        remedy = f"to check that: codelocd config validate {shlex.quote(os.path.relpath(other))}"
        if as_json:
            _problems([Mistake(str(path), None, (), what, remedy)])
        return exit_codes.failed(f"{what}; {remedy}")
    if as_json:
        output.document({"ok": True, "problems": [], "notes": list(config.notes)})
        return ExitCode.DONE
    for note in config.notes:
        output.note(note)
    output.say(f"{path}: valid, {plural(len(config.locations), 'location')}")
    return ExitCode.DONE


def _invalid(mistakes: Sequence[Mistake], *, as_json: bool) -> int:
    if as_json:
        _problems(mistakes)
    for mistake in mistakes:
        exit_codes.failed(str(mistake))
    return ExitCode.USAGE


def _problems(mistakes: Sequence[Mistake]) -> None:
    problems = [_document(mistake) for mistake in mistakes]
    output.document({"ok": False, "problems": problems, "notes": []})


def _document(mistake: Mistake) -> dict[str, Any]:
    return {
        "file": mistake.source,
        "line": mistake.line,
        "key": list(mistake.key),
        "message": mistake.what,
        "remedy": mistake.remedy,
    }


@click.command("show")
@config_file
@json_option
def show_command(file: Path | None, as_json: bool) -> None:
    """Print what becomes of a config: every path absolute, every default filled in.

    Without FILE the one that `codelocd dev` would take. The text is a codelocd.toml that asks for
    the same, also where the config is one of Dagster's; what has no words there is a comment.
    Values of variables that do not stand in the config itself are not shown: they may be secrets.

    \b
    codelocd config show
    codelocd config show workspace.yaml --json
    """
    config = local.config_in(file or local.found_config(), activated=True)
    if as_json:
        output.document(describe(config))
    else:
        output.say(written(config))


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of codelocd.toml, with which editors complete and check it.

    \b
    codelocd config schema > codelocd.schema.json
    """
    output.document(json_schema())
