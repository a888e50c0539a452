"""`codelocd config validate`"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from codelocd.cli import guard, local, output
from codelocd.cli.failures import ExitCode
from codelocd.cli.options import json_option
from codelocd.config import ConfigError, Mistake, load
from codelocd.render.text import plural


@click.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
def command(file: Path | None, as_json: bool) -> int:
    """Check a config: one line for every mistake, with its place and what to do.

    Without FILE the one that `codelocd dev` would take. Reads every format that `dev` reads.
    Ends with 2 if there is a mistake.

    \b
    codelocd config validate
    codelocd config validate deploy/codelocd.toml
    """
    path = file or local.found_config()
    try:
        config = load(path, os.environ, activated=True)
    except ConfigError as error:
        return _invalid(error, as_json=as_json)
    if as_json:
        output.document({"ok": True, "problems": [], "notes": list(config.notes)})
        return ExitCode.DONE
    for note in config.notes:
        output.note(note)
    output.say(f"{path}: valid, {plural(len(config.locations), 'location')}")
    return ExitCode.DONE


def _invalid(error: ConfigError, *, as_json: bool) -> int:
    if as_json:
        problems = [_document(mistake) for mistake in error.problems]
        output.document({"ok": False, "problems": problems, "notes": []})
    for mistake in error.problems:
        guard.failed(str(mistake))
    return ExitCode.USAGE


def _document(mistake: Mistake) -> dict[str, Any]:
    return {
        "file": mistake.source,
        "line": mistake.line,
        "key": list(mistake.key),
        "message": mistake.what,
        "remedy": mistake.remedy,
    }
