"""`codelocd engine`, `codelocd drain`: the cluster whose nodes run locations."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import exit_codes, local, output
from codelocd.cli.actions import announce
from codelocd.cli.app import Commands
from codelocd.cli.connection import ask, connect_patiently
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import config_file, daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.render.engine import checked, engine

if TYPE_CHECKING:
    from codelocd.documents.answers import CheckedEngine
    from codelocd.documents.locations import EngineStatus

COMMANDS = ("check", "status", "manifests")


@click.group(
    "engine",
    cls=Commands,
    sections={"Commands": COMMANDS},
    modules=dict.fromkeys(COMMANDS, "engine"),
    no_args_is_help=True,
)
def engine_command() -> None:
    """Check the cluster whose nodes run locations, and see how it is.

    [engine] in the config names it; docs/engines.md has the rest.
    """


@click.command("check")
@config_file
@json_option
def check_command(file: Path | None, as_json: bool) -> int:
    """Say what the cluster of a config offers, and what is wrong with it. No daemon is needed.

    Without FILE the config is the one that `codelocd dev` would take. Builds the environment of
    the bridge if need be, reaches the cluster, and asks each node for its Pythons, its resources,
    its clock and its versions. Ends with 2 where the cluster refuses us, or is refused: no token,
    a wrong one, other versions; with 1 where it cannot be reached or a node is not as it should be.

    \b
    codelocd engine check
    codelocd engine check deploy/codelocd.toml --json
    """
    from codelocd.engine.checking import check

    config = local.config_in(file or local.found_config(), activated=False)
    if not config.engine.is_used:
        raise Failure("the config has no [engine]; docs/engines.md says how", ExitCode.USAGE)
    store = local.places("user", config.daemon, Asked()).store
    found: CheckedEngine = asyncio.run(check(config.engine, store, output.note))
    if as_json:
        output.document(found)
    elif found["reached"]:
        output.say(checked(found, output.stdout_screen()))
    for problem in found["problems"]:
        exit_codes.failed(problem)
    if found["refused"]:
        return ExitCode.USAGE
    return ExitCode.FAILED if found["problems"] else ExitCode.DONE


@click.command("status")
@json_option
@daemon_options
@click.pass_obj
def status_command(asked: Asked, as_json: bool) -> int:
    """Show the cluster as the daemon knows it: whether it is in reach, and its nodes.

    Ends with 1 where it is out of reach.

    \b
    codelocd engine status
    codelocd engine status --json
    """
    found: EngineStatus = ask(asked, "engine")
    if as_json:
        output.document(found)
    else:
        output.say(engine(found, output.stdout_screen()))
    return ExitCode.DONE if found["up"] else ExitCode.FAILED


@click.command("manifests")
@click.option("--kubernetes", is_flag=True, required=True, help="For Kubernetes.")
@click.option("--image", default="codelocd:latest", show_default=True, help="Of all containers.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many nodes.",
)
@config_file
def manifests_command(kubernetes: bool, image: str, workers: int, file: Path | None) -> None:
    """Print what a Kubernetes cluster needs to run Ray's head, its workers and the daemon.

    YAML: deployments, services, a policy of the network, and references to the secrets that you
    make: the token is in none of it. The image has Ray beside codelocd, both in its PATH.

    \b
    codelocd engine manifests --kubernetes --image registry.example/codelocd:1 | kubectl apply -f -
    """
    from codelocd.engine.manifests import kubernetes as written

    config = local.config_in(file or local.found_config(), activated=False)
    output.say(written(config.engine, image, workers).rstrip())


@click.command("drain")
@click.argument("node", metavar="NODE")
@click.option("--undo", is_flag=True, help="Let it take runners again.")
@json_option
@daemon_options
@click.pass_obj
def drain_command(asked: Asked, node: str, undo: bool, as_json: bool) -> None:
    """Move what runs on a node of the cluster elsewhere, new beside old.

    The node takes no more runners. Each location that it has gets a new runner on another node,
    which takes over once it has loaded; where none has room, the location stays, with the reason.
    `codelocd engine status` lists the nodes.

    \b
    codelocd drain worker-2
    codelocd drain worker-2 --undo
    """
    with connect_patiently(asked) as connection:
        announce(connection)
        answer = connection.call("drain", {"node": node, "on": not undo, "by": "cli"})
    if as_json:
        output.document(answer)
    else:
        output.say(moved(answer))


def moved(answer: dict[str, Any]) -> str:
    """What `drain` says of its answer."""
    names = answer["locations"]
    if not answer["draining"]:
        return f"{answer['node']} takes runners again"
    what = f"moving {', '.join(names)}" if names else "nothing runs there"
    return f"{answer['node']} takes no more runners; {what}"
