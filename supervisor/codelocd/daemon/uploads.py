"""Releases on their way here: what clients send, until it is whole."""

from __future__ import annotations

import asyncio
import errno
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from codeloc_envs import EnvironmentProblem
from codelocd.daemon import params as take
from codelocd.daemon.locations import Locations
from codelocd.daemon.params import Params
from codelocd.daemon.releases import Releases
from codelocd.process.child import shielded
from codelocd.releases.manifest import TreeManifest, UnfitTree, changes
from codelocd.releases.mapping import needed, release_root
from codelocd.releases.records import UnknownRelease
from codelocd.releases.release_folder import DamagedRelease, IncomingRelease, ReleaseFolder
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer

if TYPE_CHECKING:
    from codelocd.documents.answers import Nothing
    from codelocd.documents.releases import ReleaseUpload

T = TypeVar("T")


@dataclass(slots=True)
class Upload:
    """A copy that one client sends. Its pieces are written one after the other."""

    peer: Peer
    location: str
    incoming: IncomingRelease
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    work: asyncio.Future[Any] | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """On a thread, which goes on where the client that asked for it has gone."""
        async with self.turn:
            mine = asyncio.ensure_future(asyncio.to_thread(work))
            self.work = mine
            return await asyncio.shield(mine)

    async def sealed(self) -> None:
        """Make it a release. What is not complete, or cannot be written, is gone. Raises
        RpcError."""
        try:
            await _told(self.do(self.incoming.seal))
        except RpcError:
            await self.drop()
            raise

    async def drop(self) -> None:
        if self.work is not None:
            await asyncio.wait([self.work])
        await asyncio.to_thread(self.incoming.drop)


class ReleaseUploads:
    """The copies that are being sent. What a client has sent in part ends with its connection."""

    def __init__(self, releases: Releases, locations: Locations) -> None:
        self._releases = releases
        self._locations = locations
        self._uploads: dict[int, Upload] = {}
        self._numbers = itertools.count(1)
        self._dropping: set[asyncio.Task[None]] = set()

    async def begin(self, peer: Peer, params: Params) -> ReleaseUpload:
        location = self._locations.supervised(take.text(params, "location"))
        dry_run, data = take.flag(params, "dry_run", default=False), params.get("manifest")
        if not isinstance(data, bytes):
            raise RpcError("usage", "manifest must be bytes")
        folder = self._releases.of(location.name)
        manifest = await apart(TreeManifest.decoded, data)
        self.check(location.name, manifest)
        current = self._releases.current(location.name)
        differing = changes(await apart(_known_manifest, folder, current), manifest)
        here = await apart(folder.mended if not dry_run else folder.has, manifest.id)
        missing = set() if here else await apart(folder.missing, manifest)
        number = None
        if not (here or dry_run):
            number = await self._receive(peer, location.name, manifest)
            missing = self._uploads[number].incoming.wanted
        return {
            "release": manifest.id,
            "upload": number,
            "missing": sorted(missing),
            "missing_bytes": sum(manifest.sizes[digest] for digest in missing),
            "files": len(manifest.entries),
            "bytes": manifest.bytes,
            "added": list(differing.added),
            "changed": list(differing.changed),
            "removed": list(differing.removed),
        }

    async def _receive(self, peer: Peer, name: str, manifest: TreeManifest) -> int:
        work = asyncio.to_thread(self._releases.of(name).receive, manifest)
        incoming = await _told(shielded(work, IncomingRelease.drop))
        number = next(self._numbers)
        self._uploads[number] = Upload(peer, name, incoming)
        peer.closed.add_done_callback(lambda _: self._drop(number))
        return number

    def check(self, name: str, manifest: TreeManifest) -> None:
        """RpcError unless the tree has what the location's description names in it."""
        spec = self._releases.configured(name)
        for path in needed(spec):
            if not manifest.has(path):
                root = release_root(spec)
                raise RpcError(
                    "usage",
                    f"the tree has no {path}, which location {name!r} needs: it has to stand for "
                    f"{root} (--source names its folder; release_root in the config names another "
                    "place that it takes)",
                )

    async def add(self, peer: Peer, params: Params) -> Nothing:
        upload = self._upload(peer, params)
        contents = params.get("contents")
        if not isinstance(contents, list) or not all(_is_piece(each) for each in contents):
            raise RpcError("usage", "contents must be an array of [digest, bytes, more]")

        def add() -> None:
            for digest, data, more in contents:
                upload.incoming.add(digest, data, more=more)

        await _told(upload.do(add))
        return {}

    def _upload(self, peer: Peer, params: Params) -> Upload:
        upload = self._uploads.get(take.number(params, "upload"))
        if upload is None or upload.peer is not peer:
            raise RpcError("unknown", "there is no such upload of this connection; begin another")
        return upload

    def _drop(self, number: int) -> None:
        if (upload := self._uploads.pop(number, None)) is not None:
            task = asyncio.get_running_loop().create_task(upload.drop())
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    def taken(self, peer: Peer, params: Params, name: str) -> Upload:
        """The one that the parameter `upload` names. It no longer ends with its connection."""
        upload = self._upload(peer, params)
        if upload.location != name:
            raise RpcError("usage", f"this upload is for {upload.location!r}")
        del self._uploads[take.number(params, "upload")]
        return upload


def _known_manifest(folder: ReleaseFolder, release: str | None) -> TreeManifest | None:
    """What the release holds; None for none, and for one whose list is damaged."""
    try:
        return folder.manifest(release) if release is not None else None
    except DamagedRelease:
        return None


def _is_piece(given: Any) -> bool:
    """Whether it is `[digest, bytes, more]`."""
    if not isinstance(given, list) or len(given) != 3:
        return False
    return [type(each) for each in given] == [str, bytes, bool]


async def apart(work: Callable[..., T], *arguments: Any) -> T:
    """On another thread. RpcError for what may fail."""
    return await _told(asyncio.to_thread(work, *arguments))


async def _told(work: Awaitable[T]) -> T:
    """RpcError for what releases raise."""
    try:
        return await work
    except UnfitTree as error:
        raise RpcError("usage", str(error)) from None
    except UnknownRelease as error:
        raise RpcError("unknown", str(error)) from None
    except (DamagedRelease, EnvironmentProblem) as error:
        raise RpcError("internal", str(error)) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "; make room, or set keep_releases lower" if full else ""
        raise RpcError("limit", f"the release cannot be written: {error}{remedy}") from None
