"""Commands that put code aside and take it into service: `codelocd deploy rollback releases`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codelocd.cli import output
from codelocd.cli.actions import Waiting, announce
from codelocd.cli.commands import completions
from codelocd.cli.connection import GRACE, Connection, ask, connect_patiently, connect_promptly
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import (
    daemon_options,
    json_option,
    location_argument,
    locations_argument,
    outcome_options,
)
from codelocd.cli.which import Asked
from codelocd.render.releases import SHORT, changes, deployed, failed, releases
from codelocd.render.text import plural, size

if TYPE_CHECKING:
    from codelocd.documents.releases import DeployOutcome, ReleaseUpload
    from codelocd.releases.folder_source import TreeSource

PIECE = 1024 * 1024
"""Bytes of content in one request, or a little more."""


@click.command()
@location_argument
@click.option(
    "--source",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder whose files are put aside; with --git-ref by default the present one.",
)
@click.option(
    "--git-ref",
    metavar="REF",
    help="Take them as they are in this commit, branch or tag, not as they are on disk.",
)
@click.option("--in-place", is_flag=True, help="Go back to the files where the config has them.")
@click.option("--dry-run", is_flag=True, help="Say what would be put aside, and change nothing.")
@outcome_options
@json_option
@daemon_options
@click.pass_obj
def deploy_command(
    asked: Asked,
    location: str,
    source: Path | None,
    git_ref: str | None,
    in_place: bool,
    dry_run: bool,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Put code aside as a release, load it beside what serves, and let it take over.

    The files are copied, as the user who gives the command, and named by what they hold; the copy
    never changes. If it does not load, what serves goes on, and this ends with 1. The release
    before is kept for `codelocd rollback`. DIR stands for the folder of the location's config, or
    for its release_root. Version control, caches, environments and what the location's `ignore`
    names are left out.

    \b
    codelocd deploy sales --git-ref v1.4
    codelocd deploy sales --source ~/sales --dry-run
    codelocd deploy sales --in-place
    """
    if in_place == bool(source or git_ref) or (in_place and dry_run):
        raise click.UsageError("give --source DIR, --git-ref REF or both, or else --in-place")
    with connect_promptly(asked) if dry_run else connect_patiently(asked) as connection:
        if not dry_run:
            announce(connection)
        params: dict[str, Any] = {"location": location, "wait": wait, "timeout": timeout}
        if in_place:
            params["in_place"] = True
        else:
            tree, params["source"] = _tree(connection, location, source or Path(), git_ref)
            upload = _begun(connection, location, tree, dry_run=dry_run)
            if dry_run:
                return _say_plan(upload, as_json=as_json)
            params |= _sent(connection, tree, upload)
        return _see_through(connection, "deploy", params, as_json=as_json)


@click.command()
@location_argument
@click.argument("release", required=False, shell_complete=completions.releases)
@outcome_options
@json_option
@daemon_options
@click.pass_obj
def rollback_command(
    asked: Asked,
    location: str,
    release: str | None,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Go back to the release that served before, or to RELEASE, the beginning of its ID.

    It is loaded beside what serves, like any deploy. A second rollback goes back one more.

    \b
    codelocd rollback sales
    codelocd rollback sales 3f2a
    """
    with connect_patiently(asked) as connection:
        announce(connection)
        params = {"location": location, "release": release, "wait": wait, "timeout": timeout}
        return _see_through(connection, "rollback", params, as_json=as_json)


@click.command()
@locations_argument
@json_option
@daemon_options
@click.pass_obj
def releases_command(asked: Asked, locations: tuple[str, ...], as_json: bool) -> None:
    """List the releases of locations: when, by whom, from where, and what became of them.

    \b
    codelocd releases sales
    codelocd releases --json | jq '.locations[].current'
    """
    found = ask(asked, "releases", {"locations": list(locations)} if locations else {})
    if as_json:
        output.document(found)
    else:
        output.say(releases(found, time.time(), output.stdout_screen()))


# --- the files ---------------------------------------------------------------------------------


def _tree(
    connection: Connection, location: str, folder: Path, ref: str | None
) -> tuple[TreeSource, dict[str, str]]:
    """What is to be put aside, and where it is from, for people."""
    from codelocd.releases.folder_source import FolderSource, IgnoredPaths
    from codelocd.releases.git_source import GitSource
    from codelocd.releases.manifest import UnfitTree

    (known,) = connection.call("releases", {"locations": [location]})["locations"]
    ignored = IgnoredPaths(known["ignore"])
    folder = Path(os.path.realpath(folder))
    try:
        if ref is None:
            return FolderSource(folder, ignored), {"folder": str(folder)}
        commit = GitSource(folder, ref, ignored)
    except UnfitTree as error:
        raise Failure(str(error)) from None
    if commit.pointers:
        files = plural(commit.pointers, "file")
        output.note(f"{files} of Git LFS: pointers, as git stores them; --source has the contents")
    return commit, {"folder": str(folder), "ref": ref, "commit": commit.commit}


def _begun(
    connection: Connection, location: str, tree: TreeSource, *, dry_run: bool
) -> ReleaseUpload:
    params = {"location": location, "manifest": tree.manifest.encoded, "dry_run": dry_run}
    found: ReleaseUpload = connection.call("release_upload", params, timeout=None)
    return found


def _sent(connection: Connection, tree: TreeSource, upload: ReleaseUpload) -> dict[str, Any]:
    """Send what the daemon lacks; how `deploy` names the release then."""
    number = upload["upload"]
    if number is None:
        return {"release": upload["release"]}
    new = size(upload["missing_bytes"])
    output.note(f"release {upload['release'][:SHORT]}: {new} of {size(upload['bytes'])} are new")
    from codelocd.releases.manifest import UnfitTree

    try:
        for contents in _messages(tree, upload["missing"]):
            connection.call(
                "release_content", {"upload": number, "contents": contents}, timeout=None
            )
    except UnfitTree as error:
        raise Failure(str(error)) from None
    return {"upload": number}


def _messages(tree: TreeSource, digests: Iterable[str]) -> Iterator[list[list[Any]]]:
    """Pieces of contents, as many as go into one request."""
    message: list[list[Any]] = []
    amount = 0
    for digest, blocks in tree.contents(digests):
        message.append([digest, b"", True])
        for block in blocks:
            message.append([digest, block, True])
            amount += len(block)
            if amount >= PIECE:
                yield message
                message, amount = [], 0
        message.append([digest, b"", False])
        if len(message) >= 1000:
            yield message
            message, amount = [], 0
    if message:
        yield message


# --- the outcome -------------------------------------------------------------------------------


def _see_through(
    connection: Connection, verb: str, params: dict[str, Any], *, as_json: bool
) -> int:
    """Give the order, and report what became of it."""
    timeout, watched = params["timeout"], {"locations": [params["location"]]}
    patience = None if timeout is None else timeout + GRACE
    if params["wait"]:
        with Waiting(connection.daemon.socket, watched):
            found = connection.call(verb, params, patience)
    else:
        found = connection.call(verb, params, patience)
    return _report(verb, found, as_json=as_json, waited=params["wait"])


def _report(verb: str, found: DeployOutcome, *, as_json: bool, waited: bool) -> int:
    if as_json:
        output.document(found)
    else:
        screen = output.stdout_screen()
        output.say(deployed(found, waited=waited) if found["ok"] else failed(found, screen))
    if found["note"]:
        output.note(found["note"])
    if found["ok"]:
        return ExitCode.DONE
    name = found["name"]
    serves = "what served before goes on" if found["state"] == "serving" else "nothing serves"
    how = f"`codelocd releases {name}` lists releases, `codelocd logs {name}` has the output"
    raise Failure(f"{verb} failed for {name}, {serves}; {how}", ExitCode.FAILED)


def _say_plan(upload: ReleaseUpload, *, as_json: bool) -> int:
    if as_json:
        output.document(upload)
    else:
        output.say(changes(upload, output.stdout_screen()))
    sys.stdout.flush()
    return ExitCode.DONE
