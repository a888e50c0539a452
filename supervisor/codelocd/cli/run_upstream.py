"""Whether what a run takes from other locations was made lately."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codelocd.cli.connection import Connection
from codelocd.cli.exit_codes import Failure
from codelocd.cli.run_request import AskedRun, unfit_names
from codelocd.render.text import duration
from codelocd.runs.names import RunChoice, chosen

if TYPE_CHECKING:
    from codelocd.documents.definitions import AssetNode, DefinitionsDocument, Listed


def require(connection: Connection, location: str, request: AskedRun, oldest: float) -> None:
    """Raises Failure where an asset of another location that is needed was not made by a run within
    the last `oldest` seconds."""
    listed: DefinitionsDocument = connection.call("definitions", {"locations": [location]})
    own = [each for each in listed["definitions"] if each["location"] == location]
    with unfit_names():
        choice = chosen(request.names, request.select, location, own, request.repository)
    made = None if request.upstream else _made(choice, own)
    late = list(_unknown(own, made, {"/".join(edge["from"]["key"]) for edge in listed["edges"]}))
    for edge in listed["edges"]:
        node, upstream = edge["to"], edge["from"]
        name = "/".join(node["key"])
        if node["location"] == location and (made is None or name in made):
            late += _late(connection, upstream, oldest)
    if late:
        first, *more = dict.fromkeys(late)
        raise Failure(first, also=more)


def _made(choice: RunChoice, own: list[Listed]) -> set[str] | None:
    """The names of what is made; None where they are not known here: then all may be."""
    if choice.job is not None:
        named = [each for each in own if each["kind"] == "job" and each["name"] == choice.job]
        return {"/".join(key) for job in named for key in job.get("assets") or []}
    names = {each["name"] for each in own if each["kind"] == "asset"}
    plain = set(choice.select or ())
    return plain if plain <= names else None


def _unknown(own: list[Listed], made: set[str] | None, known: set[str]) -> Iterator[str]:
    """Of what is needed, what no location has."""
    assets = [each for each in own if each["kind"] == "asset"]
    known = known | {each["name"] for each in assets}
    for asset in assets:
        for key in asset["deps"] if made is None or asset["name"] in made else ():
            if (needed := "/".join(key)) not in known:
                who = f"{asset['location']}/{asset['name']}"
                yield f"{who} depends on {needed}, and no location has an asset of that key"


def _late(connection: Connection, asset: AssetNode, oldest: float) -> Iterator[str]:
    name, location = "/".join(asset["key"]), asset["location"]
    asked = {"location": location, "name": name, "kind": "asset"}
    if asset["repository"]:
        asked["repository"] = asset["repository"]
    made = connection.call("show", asked).get("last_made")
    how = f"; `codelocd run {location}/{name}` makes it"
    if made is None:
        yield f"{location}/{name} was made by no run{how}"
    elif time.time() - made["at"] > oldest:
        yield f"{location}/{name} was last made {duration(time.time() - made['at'])} ago{how}"
