"""The methods of the control socket that put code aside and take it into service."""

from __future__ import annotations

import asyncio
import pwd
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codelocd.core import problems
from codelocd.core.state import State
from codelocd.daemon import params as take
from codelocd.daemon.actions import Method
from codelocd.daemon.location import Location
from codelocd.daemon.loop import Daemon
from codelocd.daemon.params import Params
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.releases import Releases
from codelocd.daemon.uploads import ReleaseUploads, Upload, apart
from codelocd.releases.records import SHORT, ReleaseOrigin
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer

if TYPE_CHECKING:
    from codelocd.documents.releases import DeployOutcome, ReleasesDocument, ReleaseUpload


@dataclass(frozen=True, slots=True)
class _DeployOrder:
    """What is to serve a location, None the files in place, who wants it, and where it is from.
    `done`: the event of the journal when it serves."""

    location: Location
    release: str | None
    done: str
    who: tuple[int, str]
    origin: ReleaseOrigin

    @property
    def told(self) -> str:
        whence = _whence(self.origin) if self.release else ""
        return f"{_named(self.release)}{whence}, by {self.who[1]}"


class Deploys:
    """One deploy of a location at a time."""

    def __init__(self, releases: Releases, daemon: Daemon, publisher: Publisher) -> None:
        self._releases = releases
        self._locations = daemon.locations
        self._daemon = daemon
        self._publisher = publisher
        self._uploads = ReleaseUploads(releases, daemon.locations)
        self._under_way: dict[str, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        outcome = frozenset({"location", "release", "wait", "timeout"})
        self.methods: dict[str, tuple[Method, frozenset[str]]] = {
            "releases": (self._list, frozenset({"locations"})),
            "release_upload": (self._begin_upload, frozenset({"location", "manifest", "dry_run"})),
            "release_content": (self._uploads.add, frozenset({"upload", "contents"})),
            "deploy": (self._deploy, outcome | {"upload", "in_place", "source"}),
            "rollback": (self._roll_back, outcome),
        }

    async def _list(self, _peer: Peer, params: Params) -> ReleasesDocument:
        names = self._locations.known(take.texts(params, "locations"))
        own = sorted(self._locations) if names is None else names
        for name in own:
            self._locations.supervised(name)
        return {"locations": [await apart(self._releases.document, name) for name in own]}

    async def _begin_upload(self, peer: Peer, params: Params) -> ReleaseUpload:
        if not take.flag(params, "dry_run", default=False):
            self._refuse(self._locations.supervised(take.text(params, "location")))
        return await self._uploads.begin(peer, params)

    # --- into service --------------------------------------------------------------------------

    async def _deploy(self, peer: Peer, params: Params) -> DeployOutcome:
        location = self._locations.supervised(take.text(params, "location"))
        in_place = take.flag(params, "in_place", default=False)
        given = [name for name in ("upload", "release") if params.get(name) is not None]
        if len(given) + in_place != 1:
            raise RpcError("usage", "give one of upload, release and in_place")
        origin, who, upload = _origin(params), _who(peer), None
        release = None if in_place else take.optional_text(params, "release")
        self._refuse(location)
        if "upload" in given:
            upload = self._uploads.taken(peer, params, location.name)
            release = upload.incoming.manifest.id
        order = _DeployOrder(location, release, DEPLOYED, who, origin)
        return await self._outcome(order, params, upload)

    async def _roll_back(self, peer: Peer, params: Params) -> DeployOutcome:
        location = self._locations.supervised(take.text(params, "location"))
        name, beginning = location.name, take.optional_text(params, "release")
        index, current = await apart(self._releases.index, name), self._releases.current(name)
        if beginning is not None:
            found = await apart(index.named, beginning, name)
        elif (before := index.before(current)) is not None:
            found = before
        else:
            raise RpcError(
                "usage",
                f"nothing served {name!r} before that a rollback could go back to; "
                f"`codelocd releases {name}` lists what there is, "
                f"`codelocd deploy {name} --in-place` goes back to the files in place",
            )
        self._refuse(location)
        order = _DeployOrder(location, found.id, ROLLED_BACK, _who(peer), found.origin)
        return await self._outcome(order, params)

    def _refuse(self, location: Location) -> None:
        self._refuse_another(location)
        if not location.state.wanted:
            raise RpcError("usage", f"stopped, so `start` first: {location.name}")

    async def _outcome(
        self, order: _DeployOrder, params: Params, upload: Upload | None = None
    ) -> DeployOutcome:
        """Begin, and wait for what becomes of it. That goes on where the client is gone."""
        wait, timeout = take.flag(params, "wait", default=True), take.seconds(params, "timeout")
        name, release = order.location.name, order.release
        self._under_way[name] = f"{order.who[1]} deploys {_named(release)}"
        work = asyncio.get_running_loop().create_task(self._carried_out(order, upload))
        self._tasks.add(work)
        work.add_done_callback(self._done)
        if not wait:
            return _document(order.location, release, self._releases.current(name), ok=True)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(work)
        except TimeoutError:
            message = f"no outcome within {timeout:g} s: {name}"
            raise RpcError("timeout", message) from None

    def _done(self, work: asyncio.Task[Any]) -> None:
        self._tasks.discard(work)
        if not work.cancelled():
            work.exception()  # the client has it, if it waits

    async def _carried_out(self, order: _DeployOrder, upload: Upload | None) -> DeployOutcome:
        name = order.location.name
        try:
            if upload is not None:
                await upload.sealed()
            if order.release is not None:
                await self._admit(name, order.release, order)
            return await self._into_service(order)
        finally:
            self._releases.tried(name)
            self._under_way.pop(name, None)

    async def _admit(self, name: str, release: str, order: _DeployOrder) -> None:
        """The release is here, whole, and of this location: note who has deployed it."""
        if release not in await apart(self._releases.of(name).ids):
            raise RpcError("unknown", f"there is no release {release!r} of {name!r}")
        manifest = await apart(self._releases.of(name).manifest, release)
        self._uploads.check(name, manifest)
        if order.done == DEPLOYED:
            arrived = self._releases.arrived
            await apart(arrived, name, release, manifest, order.origin, order.who)

    def _refuse_another(self, location: Location) -> None:
        if (other := self._under_way.get(location.name)) is not None:
            what = f"another deploy of {location.name!r} is under way ({other})"
            raise RpcError("busy", f"{what}; try again when it is done")

    async def _into_service(self, order: _DeployOrder) -> DeployOutcome:
        """Load it beside what serves. Once it has taken over it is current; else what was so before
        describes the location again."""
        location, release, name = order.location, order.release, order.location.name
        former, before = self._releases.current(name), location.state
        if not _serves(location, release):
            self._daemon.change(self._releases.trying(name, release), reload=True, by=DEPLOY)
            await location.settled()
        ok = _serves(location, release)
        outcome = _document(location, release, former, ok=ok)
        if ok:
            outcome["note"] = await apart(self._commit, name, release, order.done)
            self._publisher.announce(location, order.done, location.state, order.told, by=DEPLOY)
        else:
            await self._give_up(order, before)
        if not location.removed:
            kept = self._releases.configured(name).policy.keep_releases
            outcome["removed"] = await apart(self._releases.prune, name, kept)
        return outcome

    def _commit(self, name: str, release: str | None, done: str) -> str | None:
        """What is not as it should be, though it serves. Raises OSError."""
        unwritten = self._releases.make_current(name, release)
        if release is None:
            return unwritten
        index = self._releases.index(name)
        index = index.noted(index.records[release], served=True, problem=None)
        moved = index.rolled_back if done == ROLLED_BACK else index.deployed
        self._releases.note(name, moved(release))
        return unwritten

    async def _give_up(self, order: _DeployOrder, before: State) -> None:
        """What served is untouched. Nothing is said of a release whose load was called off."""
        location, name, release = order.location, order.location.name, order.release
        problem = location.state.problem
        if location.removed:
            return
        if location.state.wanted:
            why = problem.summary if problem is not None else "it did not take over"
            if release is not None:
                await apart(self._failed, name, release, why)
            told = f"{order.told}: {why}"
            self._publisher.announce(location, FAILED, location.state, told, by=DEPLOY)
        self._releases.tried(name)
        self._daemon.revert(self._releases.applied(self._releases.configured(name)), before)

    def _failed(self, name: str, release: str, why: str) -> None:
        index = self._releases.index(name)
        if (record := index.records.get(release)) is not None:
            self._releases.note(name, index.noted(record, problem=why))


DEPLOY = "deploy"
"""What asks for a load, in the journal."""
DEPLOYED, ROLLED_BACK, FAILED = "deployed", "rolled-back", "deploy-failed"
"""Events of the journal."""


def _serves(location: Location, release: str | None) -> bool:
    """Whether callers get this release, None the files in place, as it is now."""
    running = location.serving
    if running is None or location.state.stale or location.spec.release != release:
        return False
    return running.order.release == release and location.state.reloading is None


def _document(
    location: Location, release: str | None, former: str | None, *, ok: bool
) -> DeployOutcome:
    return {
        "name": location.name,
        "ok": ok,
        "superseded": None if ok or location.state.wanted else "stop",
        "state": location.state.shown,
        "problem": problems.as_json(location.state.problem, location.name),
        "note": None,
        "release": release,
        "former": former,
        "removed": [],
    }


def _named(release: str | None) -> str:
    return "the files in place" if release is None else f"release {release[:SHORT]}"


def _whence(origin: ReleaseOrigin) -> str:
    if origin.commit is not None:
        return f" from {origin.ref} ({origin.commit[:SHORT]}) in {origin.folder}"
    return f" from {origin.folder}" if origin.folder else ""


def _origin(params: Params) -> ReleaseOrigin:
    """What the client says of where the files are from. RpcError."""
    given = take.mapping(params, "source")
    try:
        return ReleaseOrigin.of({"folder": "", **given})
    except TypeError:
        raise RpcError("usage", "source must have texts in folder, ref and commit") from None


def _who(peer: Peer) -> tuple[int, str]:
    """The number and the name of the user who asks."""
    who = peer.credentials
    uid = -1 if who is None else who.uid
    try:
        return uid, pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return uid, f"user {uid}"
