"""What is served of each location, for runs: its code by digests, its environment, its loader.

It stays for a location whose runner has died, or whose files do not load any more: runs go on with
the last good code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from codeloc_envs import Environment
from codelocd.core.shapes import WrongShape
from codelocd.daemon.adoption import fingerprint
from codelocd.daemon.location import Location, Running
from codelocd.daemon.locations import Locations
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.daemon.runs.last_served import LastServed, Remade, ServedRecord, fits, has_failed
from codelocd.model import LocationSpec
from codelocd.process.accounts import Account
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import RunnerHandle, RunnerSpec
from codelocd.runs.dagster import DAGSTER
from codelocd.runs.texts import digest_of, is_digest, keep_text, keep_texts, kept_text

PATIENCE = 10.0
"""Seconds for a runner to say what it has loaded, which takes milliseconds."""

Listed = Collection[Mapping[str, Any]]
Manifest = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class LocationCode:
    """`manifest`: the digest of the document that has the digests of all sources; None: what is on
    the disk is run. `environment` is a key, `place` what it means. `order`: of the runner that
    served, `spec`: the description that it was made from."""

    generation: int
    manifest: str | None
    environment: str
    loader: str
    python: str
    definitions: Listed
    spec: LocationSpec
    order: RunnerSpec
    place: Environment

    @property
    def name_of_code(self) -> str:
        """The same for the same code, also under another daemon, as far as that is known."""
        return self.manifest or f"generation {self.generation}"


class ServedCodes:
    """`begin` says that runs are in use. Then each takeover is followed; what served before that is
    asked for when it is needed. `known` is called with a location once it is known what serves it,
    and `found_dagsters` where that is Dagster's.
    """

    def __init__(
        self,
        locations: Locations,
        folders: AttemptFolders,
        listed: Callable[[str], Listed],
        remade: Remade,
    ) -> None:
        """`listed`: the definitions of a location, as the registry has them."""
        self._remade = remade
        self._last = LastServed(folders.root)
        self._recalled: set[str] = set()
        self._listed = listed
        self._locations = locations
        self._folders = folders
        self._served: dict[str, LocationCode] = {}
        self._former: dict[str, LocationCode] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.is_in_use = False
        self.known: Callable[[str], None] = lambda _: None
        self.found_dagsters: Callable[[], None] = lambda: None

    def listed(self, name: str) -> Listed:
        """What the registry has of a location, also while a new runner is asked what it serves."""
        return self._listed(name)

    @property
    def folder(self) -> Path:
        """Of all manifests, and of the texts of locations that run as the daemon's user."""
        return self._folders.code(None)

    def begin(self) -> None:
        """From now on new runners are told where to keep their texts. Raises OSError."""
        self._folders.make_code(None)
        self.is_in_use = True
        for location in tuple(self._locations.values()):
            self._ask_of(location)

    def folder_for(self, who: Account | None) -> Path | None:
        """Where a new runner of that user keeps its texts; None: nowhere yet."""
        if not self.is_in_use:
            return None
        with contextlib.suppress(OSError):  # then they are taken from the disk, as far as they go
            return self._folders.make_code(who)
        return None

    # --- what serves ----------------------------------------------------------------------------

    def took_over(self, location: Location, running: Running) -> None:
        """The runner serves from now on."""
        if not self.is_in_use or running.handle.node is not None:
            return
        self._recalled.discard(location.name)
        self._find_out(location.name, self._ask(location.name, location.spec, running))

    def _find_out(self, name: str, asking: Coroutine[None, None, None]) -> None:
        former = self._asking.pop(name, None)
        if former is not None:
            former.cancel()
        task = asyncio.get_running_loop().create_task(asking)
        self._asking[name] = task
        task.add_done_callback(partial(self._asked, name))

    def of(self, name: str) -> LocationCode | None:
        """None where nothing is: see `why_none`; or where the newest is still being asked for."""
        location = self._locations.get(name)
        if location is None or location.removed or not location.state.wanted:
            return None
        if name in self._asking:
            return None
        if name not in self._served:
            self._ask_of(location)
            self._recall(location)
        return self._served.get(name)

    async def ready(self, name: str) -> None:
        """Returns when `of` knows all that there is to know."""
        self.of(name)
        while (task := self._asking.get(name)) is not None:
            await asyncio.wait([task])
            await asyncio.sleep(0)

    def of_generation(self, name: str, generation: int | None) -> LocationCode | None:
        """What a run was admitted with; the newest where that is gone."""
        for served in (self._served.get(name), self._former.get(name)):
            if served is not None and served.generation == generation:
                return served
        return self._served.get(name)

    def why_none(self, name: str) -> str:
        """Why nothing is served of the location, and what to do."""
        location = self._locations.get(name)
        if location is None or location.removed:
            return f"there is no location {name!r}"
        if not location.state.wanted:
            return f"{name} is stopped: `codelocd start {name}`"
        problem = location.state.problem
        if problem is not None:
            return f"{name} has not loaded: {problem.summary}"
        return f"{name} has not loaded yet; `codelocd start {name}` waits for that"

    def withdrew(self, location: Location) -> None:
        """It was stopped, or is gone: what it served is not the last good code of what starts
        next."""
        for kept in (self._served, self._former):
            kept.pop(location.name, None)
        if (task := self._asking.pop(location.name, None)) is not None:
            task.cancel()

    def environments(self) -> Iterator[Environment]:
        """Those that runs may need: they count as used."""
        return (served.place for served in self._served.values())

    def manifests(self) -> set[str] | None:
        """Those that may still be executed; None while others may be in the making."""
        loading = any(each.state.candidate is not None for each in self._locations.values())
        if loading or self._asking:
            return None
        kept = (*self._served.values(), *self._former.values())
        others = [self._last.of(name) for name in self._locations if name not in self._served]
        last = {each.manifest for each in others if each is not None}
        return last.union(each.manifest for each in kept if each.manifest is not None)

    def close(self) -> None:
        for task in self._asking.values():
            task.cancel()

    # --- manifests ------------------------------------------------------------------------------

    def manifest(self, digest: str | None) -> Manifest | None:
        """By its digest, from the disk. Blocks. Raises OSError where it is not there any more."""
        if digest is None:
            return None
        data = kept_text(self.folder, digest)
        if data is None:
            raise FileNotFoundError(f"the manifest {digest} is not in {self.folder} any more")
        found: Manifest = json.loads(data)
        return found

    def texts(self, digest: str | None) -> dict[str, str]:
        """The sources of a manifest by path, those that are kept. Blocks."""
        try:
            manifest = self.manifest(digest)
        except OSError:
            return {}
        folders = [self.folder, *self.folder.parent.glob("code-*")]
        found = {}
        for path, name in (manifest or {"sources": {}})["sources"].items():
            data = next(filter(None, (kept_text(each, name) for each in folders)), None)
            if data is not None:
                found[path] = data.decode(errors="replace")
        return found

    # --- asking ---------------------------------------------------------------------------------

    def ask_again(self, name: str) -> None:
        """What was kept of it has been removed: have what serves now kept anew."""
        location = self._locations.get(name)
        if location is not None and name not in self._asking:
            self._ask_of(location)

    def _ask_of(self, location: Location) -> None:
        if location.serving is not None and location.serving.snapshot is not None:
            self.took_over(location, location.serving)

    def _asked(self, name: str, task: asyncio.Task[None]) -> None:
        if self._asking.get(name) is task:
            del self._asking[name]
            self.known(name)

    def _recall(self, location: Location) -> None:
        """Once, where its code does not load under this daemon: what it served under another."""
        name = location.name
        is_new = self.is_in_use and name not in self._recalled
        if is_new and has_failed(location) and self._listed(name):  # it lists none: it was stopped
            self._recalled.add(name)
            self._find_out(name, self._recollect(location))

    async def _recollect(self, location: Location) -> None:
        found = await asyncio.to_thread(self._recollected, location)
        if found is not None and location.name not in self._served:
            self._served[location.name] = found
            if found.loader == DAGSTER:
                self.found_dagsters()

    def _recollected(self, location: Location) -> LocationCode | None:
        """None where there is none, or where it is not what the location lists. Blocks."""
        record = self._last.of(location.name)
        try:
            manifest = None if record is None else self.manifest(record.manifest)
            if (
                record is None
                or manifest is None
                or not fits(record, location, manifest["sources"])
            ):
                return None
            order = self._remade(location, record.environment)
        except (OSError, ValueError):
            return None
        place, definitions = record.environment, self._listed(location.name)
        code = (record.generation, record.manifest, place.key, record.loader, record.python)
        return LocationCode(*code, definitions, location.spec, order, place)

    async def _ask(self, name: str, spec: LocationSpec, running: Running) -> None:
        snapshot, definitions = running.snapshot, self._listed(name)
        assert snapshot is not None
        assert running.generation is not None
        manifest = await _told(running.handle) or {"sources": snapshot.sources, "modules": {}}
        digest = await asyncio.to_thread(self._kept, manifest, running.order)
        served = LocationCode(
            generation=running.generation,
            manifest=digest,
            environment=running.environment.key,
            loader=snapshot.loader,
            python=snapshot.python,
            definitions=definitions,
            spec=spec,
            order=running.order,
            place=running.environment,
        )
        if name in self._served:
            self._former[name] = replace(self._served[name], definitions=())
        self._served[name] = served
        if digest is not None:
            await asyncio.to_thread(self._last.keep, spec, _record(served, digest))
        if served.loader == DAGSTER:
            self.found_dagsters()

    def _kept(self, manifest: Manifest, order: RunnerSpec) -> str | None:
        """The digest of the manifest, once all is on the disk; None where that has no room."""
        data = json.dumps(manifest, sort_keys=True).encode()
        digest = digest_of(data)
        try:
            folder = self._folders.make_code(order.account)
            keep_texts(folder, manifest["sources"], order.account)
            if kept_text(self.folder, digest) is None:
                keep_text(self.folder, digest, data)
        except OSError:
            return None
        return digest


def _record(served: LocationCode, manifest: str) -> ServedRecord:
    described = fingerprint(served.spec)
    facts = (served.generation, served.loader, served.python)
    return ServedRecord(manifest, *facts, described, served.place)


async def _told(handle: RunnerHandle) -> Manifest | None:
    """None where the runner is gone, hangs, or is of a release that knows no manifests."""
    try:
        return checked_manifest(await handle.call("manifest", timeout=PATIENCE))
    except (RpcError, WrongShape):
        return None


def checked_manifest(said: Any) -> Manifest:
    """What a runner says of its code. Raises WrongShape: user code may say anything."""
    found: dict[str, dict[str, str]] = {}
    for part in ("sources", "modules"):
        given = said.get(part) if isinstance(said, dict) else None
        if not isinstance(given, dict) or not all(type(each) is str for each in given.values()):
            raise WrongShape(f"{part} is no object of texts")
        found[part] = given
    if not all(map(is_digest, found["sources"].values())):
        raise WrongShape("sources has a value that is no digest")
    return found
