"""Which release each location is loaded from, and what is known of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs import Lease
from codelocd.model import GrpcServer, LocationSpec
from codelocd.process.accounts import account
from codelocd.releases import records
from codelocd.releases.manifest import MOST_BYTES, MOST_FILES, TreeManifest
from codelocd.releases.mapping import in_release, left_out, release_root
from codelocd.releases.records import ReleaseIndex, ReleaseOrigin, ReleaseRecord
from codelocd.releases.release_folder import ReleaseFolder
from codelocd.storage.paths import file_name

if TYPE_CHECKING:
    from codelocd.documents.releases import LocationReleases, ReleaseDocument

FOLDER = "releases"
"""In the state folder."""


class Releases:
    """Which release is current outlives the daemon: on disk a link says so. `report` gets a line
    for what cannot be written down or removed now."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._report = report
        self._configured: dict[str, LocationSpec] = {}
        self._current: dict[str, str | None] = {}
        self._tried: dict[str, str | None] = {}
        for left in folder.glob("*"):
            self._attempt(ReleaseFolder(left).sweep)

    def of(self, name: str) -> ReleaseFolder:
        """The releases of a location."""
        return ReleaseFolder(self._folder / file_name(name))

    # --- descriptions --------------------------------------------------------------------------

    def are_configured(self, specs: Iterable[LocationSpec]) -> None:
        """These are the locations as the config has them, with their files in place."""
        self._configured = {spec.name: spec for spec in specs}

    def configured(self, name: str) -> LocationSpec:
        return self._configured[name]

    def applied(self, spec: LocationSpec) -> LocationSpec:
        """A location of the config as it is to be loaded: from its release, where it has one."""
        if isinstance(spec.target, GrpcServer):
            return spec
        release = self._tried.get(spec.name, self.current(spec.name))
        if release is None:
            return spec
        return in_release(spec, release, self.of(spec.name).tree(release))

    def trying(self, name: str, release: str | None) -> LocationSpec:
        """From now on the location is described by this release, None by the files in place."""
        self._tried[name] = release
        return self.applied(self.configured(name))

    def tries(self, name: str) -> bool:
        """Whether an attempt is under way, and what the location shows is of it."""
        return name in self._tried

    def tried(self, name: str) -> None:
        """The attempt is over: what is current describes the location."""
        self._tried.pop(name, None)

    # --- what is current -----------------------------------------------------------------------

    def current(self, name: str) -> str | None:
        if name not in self._current:
            self._current[name] = self.of(name).current()
        return self._current[name]

    def make_current(self, name: str, release: str | None) -> str | None:
        """It serves: so it does after the next start, too. What is in the way of that, in a line,
        None where nothing is. Blocks."""
        self._current[name] = release
        try:
            self.of(name).set_current(release)
        except OSError as error:
            return (
                f"it serves, but the next daemon would not know: {error}; make room, deploy again"
            )
        return None

    def lease(self, spec: LocationSpec) -> Lease | None:
        """What a runner of this description holds while it lives. Blocks. Raises DamagedRelease
        where the release is not what was put aside, OSError."""
        if spec.release is None:
            return None
        folder, who = self.of(spec.name), account(spec.user, spec.group)
        folder.verify(spec.release)
        if who is not None:
            folder.open_for(spec.release, who.gid, self._folder.parent)
        return folder.lease(spec.release)

    # --- what is known of them -----------------------------------------------------------------

    def index(self, name: str) -> ReleaseIndex:
        """Raises OSError."""
        folder = self.of(name)
        return records.read(folder.folder, folder.ids())

    def note(self, name: str, index: ReleaseIndex) -> None:
        folder = self.of(name).folder
        if folder.is_dir():
            self._attempt(lambda: records.write(folder, index))

    def arrived(
        self,
        name: str,
        release: str,
        manifest: TreeManifest,
        origin: ReleaseOrigin,
        who: tuple[int, str],
    ) -> None:
        """Note who has deployed it just now, by number and name. Raises OSError."""
        index = self.index(name)
        record = index.records.get(release) or ReleaseRecord(release)
        facts: dict[str, Any] = {"at": time.time(), "origin": origin}
        facts["uid"], facts["user"] = who
        facts |= {"files": len(manifest.entries), "bytes": manifest.bytes, "problem": None}
        self.note(name, index.noted(record, **facts))

    def prune(self, name: str, kept: int) -> list[str]:
        """Remove what is too much, but nothing that a process runs; the IDs that are gone. Blocks.
        Raises OSError."""
        folder, index = self.of(name), self.index(name)
        spared = {self.current(name), self._tried.get(name)}
        much = [each for each in index.to_remove(self.current(name), kept) if each not in spared]
        gone = [release for release in much if folder.remove(release)]
        if gone:
            self.note(name, index.without(gone))
        return gone

    def document(self, name: str) -> LocationReleases:
        """The location's part of the result of `releases`. Raises OSError."""
        spec, current = self.configured(name), self.current(name)
        return {
            "location": name,
            "root": str(release_root(spec)),
            "ignore": left_out(spec),
            "current": current,
            "keep": spec.policy.keep_releases,
            "most_files": MOST_FILES,
            "most_bytes": MOST_BYTES,
            "releases": [self._one(name, each) for each in self.index(name).newest_first()],
        }

    def _one(self, name: str, record: ReleaseRecord) -> ReleaseDocument:
        origin = record.origin
        return {
            "id": record.id,
            "at": record.at,
            "uid": record.uid,
            "user": record.user,
            "source": {"folder": origin.folder, "ref": origin.ref, "commit": origin.commit},
            "files": record.files,
            "bytes": record.bytes,
            "served": record.served,
            "problem": record.problem,
            "state": record.state(self.current(name)),
            "path": str(self.of(name).tree(record.id)),
        }

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            self._report(f"the releases are not on disk as they should be: {error}")
