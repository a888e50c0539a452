"""The options that say which code `dev` and `check` are about."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from codelocd.config.targets import Targets

OPTIONS = (
    click.option(
        "-f", "--python-file", "python_files", metavar="FILE", multiple=True, type=click.Path(),
        help="Load the definitions in this file. Repeatable, like -m, --package-name and -w.",
    ),
    click.option(
        "-m", "--module-name", "modules", metavar="MODULE", multiple=True,
        help="Load this module.",
    ),
    click.option(
        "--package-name", "packages", metavar="PACKAGE", multiple=True,
        help="Load this package.",
    ),
    click.option(
        "-w", "-c", "--workspace", "--config", "workspaces",
        metavar="FILE", multiple=True, type=click.Path(),
        help="Load the locations of this workspace.yaml, or of another config.",
    ),
    click.option(
        "-d", "--working-directory", metavar="DIR", type=click.Path(),
        help="The folder in which the code runs, and from which modules are imported.",
    ),
    click.option(
        "-a", "--attribute", metavar="ATTR", help="The name of the definitions in the code.",
    ),
    click.option(
        "--python", metavar="X",
        help="A version (3.12), a specifier (>=3.9,<3.11) or the path of an interpreter.",
    ),
    click.option(
        "--with", "added", metavar="PACKAGE", multiple=True,
        help="Add a package to the environment, for this run only. Repeatable.",
    ),
    click.option(
        "--env", metavar="KEY=VALUE", multiple=True, help="Set a variable. Repeatable.",
    ),
)  # fmt: skip


def target_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of targets; `command` gets them as its keyword `targets`."""

    @wraps(command)
    def with_targets(*arguments: Any, **options: Any) -> int:
        named = {name: options.pop(name) for name in Targets.__dataclass_fields__}
        return command(*arguments, targets=Targets(**named), **options)

    for option in reversed(OPTIONS):
        with_targets = option(with_targets)
    return with_targets
