"""`codelocd call`"""

from __future__ import annotations

import json
from typing import Any

import click

from codelocd.cli import output
from codelocd.cli.commands.change import GRACE
from codelocd.cli.completion import methods
from codelocd.cli.connection import ask
from codelocd.cli.options import daemon_options, location_argument
from codelocd.cli.which import Asked


@click.command()
@location_argument
@click.argument("method", shell_complete=methods)
@click.argument("parameters", metavar="[JSON]", default="{}")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after this."
)
@daemon_options
@click.pass_obj
def call_command(
    asked: Asked, location: str, method: str, parameters: str, timeout: float | None
) -> None:
    """Ask the runner that serves a location.

    METHOD is one of hello, ping, snapshot, describe, stacks; JSON an object with its
    parameters. Prints a JSON document: `result`, and the `generation` of the runner that
    answered. A call that a runner has accepted is answered by it, even if another takes over.
    None of them changes what runs: `codelocd stop` and `codelocd restart` do.

    \b
    codelocd call sales describe
    codelocd call sales describe '{"kind": "asset", "name": "mart/orders"}'
    codelocd call sales stacks | jq -r '.result.threads[].stack[]'
    """
    request: dict[str, Any] = {
        "location": location,
        "method": method,
        "params": _object(parameters),
    }
    patience = None
    if timeout is not None:
        request["timeout"], patience = timeout, timeout + GRACE
    output.document(ask(asked, "call", request, timeout=patience))


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"the parameters are not JSON ({error}): {text}") from None
    if not isinstance(value, dict):
        raise click.UsageError(f'the parameters must be a JSON object like {{"a": 1}}, not {text}')
    return value
