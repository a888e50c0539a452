"""`codelocd env diff`"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from codelocd.cli import output
from codelocd.cli.completion import environments
from codelocd.cli.local import listed, one_of
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.environments import difference


@click.command("diff")
@click.argument("one", metavar="A", shell_complete=environments)
@click.argument("other", metavar="B", shell_complete=environments)
@json_option
@daemon_options
@click.pass_obj
def command(asked: Asked, one: str, other: str, as_json: bool) -> None:
    """Compare two environments: their Pythons and their packages.

    A and B are keys, beginnings of keys, or names of locations that use them. Prints nothing
    where both hold the same.

    \b
    codelocd env diff sales ingest
    codelocd env diff 3f2a 91bc --json
    """
    found = listed(asked)
    document = compared(one_of(found, one), one_of(found, other))
    if as_json:
        output.document(document)
    else:
        output.say(difference(document, output.stdout_screen()))


def compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What one has to become to be the other; packages as `name==version`."""
    before, after = _versions(one["packages"]), _versions(other["packages"])
    return {
        "keys": [one["key"], other["key"]],
        "python": [one["python"], other["python"]],
        "removed": [f"{name}=={before[name]}" for name in sorted(before.keys() - after)],
        "added": [f"{name}=={after[name]}" for name in sorted(after.keys() - before)],
        "changed": [
            [name, before[name], after[name]]
            for name in sorted(before.keys() & after)
            if before[name] != after[name]
        ],
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    pairs = (package.partition("==") for package in packages)
    return {name: version for name, _, version in pairs}
