"""Makes the documents of the contract from what the daemon holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from codeloc_envs import files
from codeloc_envs.store.layout import Layout
from codelocd.core import problems, registry
from codelocd.core.nearest import advice
from codelocd.daemon.location import Location, Running
from codelocd.daemon.usage import Sampler, Usage
from codelocd.model import GrpcServer, LastExit, LocationSpec
from codelocd.rpc.errors import RpcError
from codelocd.storage.desired_state import DesiredState
from codelocd.storage.paths import DaemonPaths
from codelocd.storage.remains import SNAPSHOTS

if TYPE_CHECKING:
    from codelocd.documents.definitions import DefinitionsDocument, Listed, ShownAsset
    from codelocd.documents.locations import (
        ConfigDocument,
        EnvironmentInUse,
        ExitDocument,
        HooksDocument,
        KeptLocation,
        LocationAccount,
        LocationStatus,
        LogLine,
        ShownLocation,
        WatchedApart,
    )

MEANT = 3
"""Definitions of one name that a message lists."""

HOUR = 3600.0
"""Seconds for which `restarts_1h` counts."""

LAST_LINES = 20
"""Lines of output that `show` gives."""


def location(
    location: Location, listed: registry.Registry, usage: Usage | None = None
) -> LocationStatus:
    """One entry of `status --json`."""
    state, serving, now = location.state, location.serving, time.monotonic()
    answered = serving.answered if serving else None
    return {
        "name": location.name,
        "state": state.shown,
        "phase_seconds": now - location.since,
        "wanted": state.wanted,
        "reloading": state.reloading,
        "stale": state.stale,
        "generation": state.generation if serving else None,
        "restarts": state.restarts,
        "restarts_1h": location.restarts_within(HOUR),
        "last_exit": _ended(location.last_exit),
        "last_failure": problems.as_json(state.last_failure),
        "last_answer": None if answered is None else now - answered,
        "pid": serving.handle.pid if serving else None,
        "node": serving.handle.node if serving else None,
        "start_method": serving.handle.start_method if serving else None,
        "release": serving.order.release if serving else location.spec.release,
        "uptime": now - serving.began if serving else None,
        "memory": usage.memory if usage else None,
        "cpu": usage.cpu if usage else None,
        "environment": environment(location, serving),
        "definitions": listed.counts(location.name),
        "loader": location.snapshot.loader if location.snapshot else None,
        "load_seconds": location.snapshot.load_seconds if location.snapshot else None,
        "problem": problems.as_json(state.problem, location.name),
        "changed_by": location.loops.latest,
        "left_out": sorted(location.loops.left_out),
        "runs": {"running": location.runs.running, "queued": location.runs.queued},
    }


def measured(location_: Location, listed: registry.Registry, sampler: Sampler) -> LocationStatus:
    """The same with memory and CPU."""
    serving = location_.serving
    usage = sampler.of(serving.handle) if serving else None
    return location(location_, listed, usage)


def external(spec: LocationSpec) -> LocationStatus:
    """The entry of a code server that another program runs: listed, not supervised."""
    assert isinstance(spec.target, GrpcServer)
    return {
        "name": spec.name,
        "state": "external",
        "phase_seconds": None,
        "wanted": None,
        "reloading": None,
        "stale": False,
        "generation": None,
        "restarts": 0,
        "restarts_1h": 0,
        "last_exit": None,
        "last_failure": None,
        "last_answer": None,
        "pid": None,
        "node": None,
        "start_method": None,
        "release": None,
        "uptime": None,
        "memory": None,
        "cpu": None,
        "environment": None,
        "definitions": dict.fromkeys(registry.KINDS, 0),
        "loader": "dagster",
        "load_seconds": None,
        "problem": None,
        "changed_by": None,
        "left_out": [],
        "runs": {"running": 0, "queued": 0},
    }


def shown_external(spec: LocationSpec, config: ConfigDocument) -> ShownLocation:
    """The `show LOCATION --json` document of a code server that another program runs."""
    entry = external(spec)
    return {
        **entry,
        "counts": entry["definitions"],
        "definitions": [],
        "polled": [],
        "own_writes": [],
        "sources": [],
        "why": None,
        "timing": None,
        "output": [],
        "declared_in": spec.declared_in,
        "working_directory": None,
        "variables": [],
        "lock": None,
        "config": config,
    }


def definitions(
    listed: registry.Registry, locations: Iterable[str] | None, kind: str | None
) -> DefinitionsDocument:
    """The `definitions --json` document."""
    names = set(locations) if locations is not None else None
    edges = registry.edges(listed)
    conflicts = registry.conflicts(listed)
    if names is not None:
        edges = [e for e in edges if names & {e["from"]["location"], e["to"]["location"]}]
        conflicts = [c for c in conflicts if names & {d["location"] for d in c["definitions"]}]
    return {
        "revision": listed.revision,
        "definitions": listed.definitions(names, kind),
        "edges": edges,
        "conflicts": conflicts,
    }


def definition(
    listed: registry.Registry, location: str, name: str, kind: str | None, repository: str | None
) -> Listed | ShownAsset:
    """The `show LOCATION/NAME --json` document. Raises RpcError unless exactly one fits."""
    there = listed.definitions([location], kind)
    named = [each for each in there if each["name"] == name]
    matches = [each for each in named if repository in (None, each["repository"])]
    if not matches:
        what = (kind or "definition").replace("_", " ")
        names = dict.fromkeys(each["name"] for each in there)
        known = advice(name, names) if not named else f"not in repository {repository!r}"
        raise RpcError("unknown", f"location {location!r} has no {what} {name!r}; {known}")
    if len(matches) > 1:
        raise RpcError("usage", f"{name!r} is ambiguous; say which", {"matches": matches})
    (found,) = matches
    if found["kind"] != "asset":
        return found
    return {**found, **registry.relations(listed, found), "last_made": None}


def refuse_definition(listed: registry.Registry, name: str, inner: str | None) -> None:
    """The error for a definition that was named without its location: `orders`, `mart/orders`."""
    word = f"{name}/{inner}" if inner else name
    places = {
        f"{each['location']}/{each['name']}"
        for each in listed.definitions()
        if f"/{each['name']}".endswith(f"/{word}")
    }
    if places:
        quoted = [json.dumps(each, ensure_ascii=False) for each in sorted(places)[:MEANT]]
        meant = f"did you mean {' or '.join(quoted)}?"
        raise RpcError("unknown", f"there is no location {name!r}; {meant}")


def describing(location_: Location) -> Iterator[Path]:
    """The files that describe the environment, without those that were only looked for."""
    choice = location_.choice
    aside = {*choice.looked_at} - {*choice.inputs} if choice is not None else ()
    yield from (path for path in location_.inputs if path not in aside)


def shown(
    location_: Location,
    listed: registry.Registry,
    sampler: Sampler,
    sources: list[str],
    apart: WatchedApart,
    output: list[LogLine],
    config: ConfigDocument,
) -> ShownLocation:
    """The `show LOCATION --json` document; `sources` are the files watched."""
    return {
        **measured(location_, listed, sampler),
        **_about(location_, listed),
        "definitions": listed.definitions([location_.name]),
        "sources": sources,
        **apart,
        "output": output,
        "config": config,
    }


def left(location_: Location, entry: LocationStatus, listed: registry.Registry) -> KeptLocation:
    """The part of that document that is kept on disk; definitions and output have files of their
    own. `entry` is the location's one of `status`."""
    return {**entry, **_about(location_, listed)}


def _about(location_: Location, listed: registry.Registry) -> LocationAccount:
    spec, choice = location_.spec, location_.choice
    return {
        "counts": listed.counts(location_.name),
        "why": {
            "environment": choice.why if choice is not None else None,
            "inputs": sorted({str(path) for path in describing(location_)}),
            "start_method": location_.serving.handle.why if location_.serving else None,
            "placement": _placement(location_),
            "hooks": _hooks(location_),
        },
        "timing": location_.serving.timing.as_json() if location_.serving else None,
        "declared_in": spec.declared_in,
        "working_directory": str(spec.working_directory),
        "variables": sorted({*spec.variables, *spec.credentials}),
        "lock": _lock(location_),
    }


def _placement(location: Location) -> str | None:
    """Why the runner is on its node, None on this machine."""
    handle = location.serving.handle if location.serving else None
    return None if handle is None or handle.node is None else handle.placed_why


def _lock(location: Location) -> str | None:
    lock = location.serving.order.lock if location.serving else None
    return None if lock is None else str(lock)


def _hooks(location: Location) -> HooksDocument | None:
    hooks = location.serving.handle.hooks if location.serving else None
    if hooks is None:
        return None
    return {"at_exit": dict(hooks.at_exit), "at_fork": dict(hooks.at_fork)}


def _ended(last: LastExit | None) -> ExitDocument | None:
    if last is None:
        return None
    return {
        "pid": last.ended.pid,
        "status": last.ended.exit.status,
        "signal": last.ended.exit.signal,
        "at": last.ended.at,
        "asked": last.asked,
    }


def environment(location: Location, serving: Running | None) -> EnvironmentInUse | None:
    """`environment` of a status entry: that of the runner that serves, or else the newest."""
    used = serving.environment if serving else location.environment
    if used is None:
        return None
    return {
        "key": used.key,
        "path": str(used.path) if used.path else None,
        "python": used.python,
        "executable": str(used.executable),
        "origin": used.origin,
    }


FRESH = 10.0
"""Seconds for which a look at the folders is good enough."""


class Warnings:
    """The warnings of `status`. The warning about a damaged file ends when the file that was set
    aside is removed."""

    def __init__(self, paths: DaemonPaths, desired: DesiredState) -> None:
        state, store = paths.state_dir, Layout(paths.store)
        self._folders = (state, state / SNAPSHOTS, state / "warm", store.keys, store.leftovers)
        self._desired = desired
        self.of_locations: Callable[[], Iterable[str]] = tuple
        """Further lines, about single locations."""
        self.of_engine: Callable[[], Iterable[str]] = tuple
        self.of_runs: Callable[[], Iterable[str]] = tuple
        self._kept: list[files.Damage] = []
        self._known = -1
        self._looked_at = 0.0

    def lines(self) -> list[str]:
        now, count = time.monotonic(), len(files.found)
        if count != self._known or now - self._looked_at >= FRESH:
            self._kept = files.kept_in(*self._folders)
            self._known, self._looked_at = count, now
        kept = (each.text for each in self._kept)
        return [
            *filter(None, [self._desired.unwritten]),
            *kept,
            *self.of_locations(),
            *self.of_engine(),
            *self.of_runs(),
        ]
