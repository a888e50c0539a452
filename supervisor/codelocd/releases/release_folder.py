"""The releases of one location on disk: received in pieces, put in place whole, checked, removed.

    FOLDER/ID/tree/...              the files, not written again
    FOLDER/ID/.codelocd-release     what they have to hold, which gives the ID
    FOLDER/ID/lease                 locked by each process that runs the code
    FOLDER/.incoming-*              half a copy: of no release's name, removed when it has no writer
    FOLDER/current                  a link to the ID that is to be served; none: the files in place

Each release has files of its own, and no hard links to those of others: what damages one must not
damage the one that a rollback needs. What an earlier release holds is copied here, and not sent.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from codeloc_envs import Lease
from codeloc_envs.files import make_folder
from codeloc_envs.project.neighbourhood import RELEASE_MARK
from codeloc_envs.store.lease import share, try_hold
from codelocd.releases.manifest import ID_BYTES, TreeEntry, TreeManifest, UnfitTree, content_digest

CURRENT, TREE, LEASE = "current", "tree", "lease"
INCOMING, REMOVED = ".incoming-", ".removed-"
BLOCK = 1024 * 1024
READABLE = 0o755
"""Of the folders in a tree, whatever the umask. Who may pass the folder above it is another
question."""
_ID = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")


class DamagedRelease(Exception):
    """A release is not what was put aside: `str()` is one line that says what differs."""


class ReleaseFolder:
    """Blocks; every method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ids(self) -> list[str]:
        """Of all that are here, whole."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if _ID.fullmatch(name))

    def tree(self, release: str) -> Path:
        return self.folder / release / TREE

    def manifest(self, release: str) -> TreeManifest:
        """Raises DamagedRelease."""
        try:
            found = TreeManifest.decoded((self.folder / release / RELEASE_MARK).read_bytes())
        except FileNotFoundError:
            raise DamagedRelease(f"there is no release {release} in {self.folder}") from None
        except UnfitTree as error:
            raise DamagedRelease(f"the list of files in {self.folder / release}: {error}") from None
        if found.id != release:
            raise DamagedRelease(f"the list of files in {self.folder / release} was changed")
        return found

    def verify(self, release: str) -> None:
        """Compare each file with what was put aside. What the code has written beside them is not
        looked at. Raises DamagedRelease."""
        root = self.tree(release)
        for entry in self.manifest(release).entries:
            if wrong := _fault(root / entry.path, entry):
                raise DamagedRelease(f"{root / entry.path} {wrong}")

    def has(self, release: str) -> bool:
        return release in self.ids()

    def mended(self, release: str) -> bool:
        """Whether it is here as it was put aside: one that is damaged is removed, so that it can be
        put aside again. Raises DamagedRelease where a process runs that one."""
        if not self.has(release):
            return False
        try:
            self.verify(release)
        except DamagedRelease as error:
            if not self.remove(release):
                raise DamagedRelease(
                    f"{error}; a process runs this release: roll back first, then deploy it again"
                ) from None
            return False
        return True

    def lease(self, release: str) -> Lease:
        """While it is held, the release is not removed. A child that inherits it holds it, too."""
        return share(self.folder / release / LEASE)

    def open_for(self, release: str, group: int, root: Path) -> None:
        """Let that group read the release, and pass the folders that lead there from `root` on.
        Others cannot pass its folder."""
        place = self.folder / release
        for each in (place.parent, *place.parent.relative_to(root).parents):
            folder = root / each
            folder.chmod(folder.stat().st_mode | 0o011)
        os.chown(place, -1, group)
        place.chmod(0o750)

    # --- which one is served -------------------------------------------------------------------

    def current(self) -> str | None:
        """The release that is to be served; None: the files in place."""
        try:
            return os.path.basename(os.readlink(self.folder / CURRENT))
        except FileNotFoundError:
            return None

    def set_current(self, release: str | None) -> None:
        """On disk when this returns."""
        link = self.folder / CURRENT
        if release is None:
            if self.current() is None:
                return
            link.unlink()
        else:
            draft = self.folder / f".{CURRENT}-{os.urandom(4).hex()}"
            draft.symlink_to(release)
            draft.replace(link)
        _sync_folder(self.folder)

    # --- coming and going ----------------------------------------------------------------------

    def receive(self, manifest: TreeManifest) -> IncomingRelease:
        """A copy that is to become this release."""
        make_folder(self.folder)
        incoming = IncomingRelease(self, manifest)
        try:
            incoming.copy_known(self._known())
        except BaseException:
            incoming.drop()
            raise
        return incoming

    def missing(self, manifest: TreeManifest) -> set[str]:
        """The contents that would have to be sent for it."""
        return set(manifest.sizes) - {digest for digest, _ in self._known()}

    def _known(self) -> Iterator[tuple[str, Path]]:
        """Contents that are here already, and a file of each."""
        for release in self.ids():
            try:
                entries = self.manifest(release).entries
            except DamagedRelease:
                continue
            root = self.tree(release)
            yield from ((e.digest, root / e.path) for e in entries if e.link is None)

    def remove(self, release: str) -> bool:
        """Whether it is gone now: one that a process runs stays."""
        place = self.folder / release
        lease = try_hold(place / LEASE)
        if lease is None:
            return False
        with lease:
            self._discard(place)
        return True

    def sweep(self) -> None:
        """Remove what an earlier daemon left half done."""
        for pattern in (INCOMING, REMOVED, f".{CURRENT}-"):
            for left in self.folder.glob(f"{pattern}*"):
                left.unlink() if left.is_symlink() else shutil.rmtree(left)

    def _discard(self, place: Path) -> None:
        """Under another name first, so that no half of it is ever taken for a release."""
        grave = Path(tempfile.mkdtemp(prefix=REMOVED, dir=self.folder))
        place.replace(grave / place.name)
        shutil.rmtree(grave)


class IncomingRelease:
    """A copy that is not whole yet. `wanted`: contents that are still to be sent."""

    def __init__(self, releases: ReleaseFolder, manifest: TreeManifest) -> None:
        self.manifest = manifest
        self._releases = releases
        self._place = Path(tempfile.mkdtemp(prefix=INCOMING, dir=releases.folder))
        self._tree = self._place / TREE
        self._paths: dict[str, list[TreeEntry]] = {}
        for entry in manifest.entries:
            if entry.link is None:
                self._paths.setdefault(entry.digest, []).append(entry)
        self.wanted = set(self._paths)
        self._part: tuple[str, int] | None = None
        self._hash = content_digest()
        self._tree.mkdir(READABLE)

    def copy_known(self, known: Iterable[tuple[str, Path]]) -> None:
        """Take from files that are here already what is as it should be in them."""
        for digest, path in known:
            if digest not in self.wanted:
                continue
            try:
                with open(path, "rb") as file:
                    while block := file.read(BLOCK):
                        self.add(digest, block, more=True)
                self.add(digest, b"", more=False)
            except (FileNotFoundError, UnfitTree):
                self._drop_part()

    def add(self, digest: str, data: bytes, *, more: bool) -> None:
        """The next piece of a content; `more`: others follow. Raises UnfitTree for another one than
        the digest names."""
        entries = self._paths.get(digest)
        if entries is None or digest not in self.wanted:
            raise UnfitTree(f"the content {digest} was not asked for")
        if self._part is None:
            path = self._made(entries[0])
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._part = digest, os.open(path, flags, 0o600)
            self._hash = content_digest()
        part, file = self._part
        if part != digest:
            raise UnfitTree(f"the content {digest} began before {part} was complete")
        self._hash.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        if os.fstat(file).st_size > entries[0].size:
            raise UnfitTree(f"{entries[0].path} is longer than it was said to be")
        if not more:
            self._finish(digest, file, entries)

    def _finish(self, digest: str, file: int, entries: list[TreeEntry]) -> None:
        if self._hash.hexdigest() != digest:
            raise UnfitTree(f"{entries[0].path} came with another content than was said")
        os.fchmod(file, _mode(entries[0]))
        os.close(file)
        self._part = None
        for other in entries[1:]:
            path = self._made(other)
            shutil.copyfile(self._tree / entries[0].path, path)
            path.chmod(_mode(other))
        self.wanted.discard(digest)

    def _drop_part(self) -> None:
        if self._part is not None:
            digest, file = self._part
            os.close(file)
            self._part = None
            (self._tree / self._paths[digest][0].path).unlink()

    def _made(self, entry: TreeEntry) -> Path:
        """Its place, with the folders above it."""
        path = self._tree / entry.path
        if not path.parent.is_dir():
            path.parent.mkdir(mode=READABLE, parents=True)
        return path

    def seal(self) -> str:
        """Put the whole copy in its place, on disk; its ID. Raises UnfitTree where something is
        missing."""
        if self.wanted:
            raise UnfitTree(f"{len(self.wanted)} contents of the release have not been sent")
        for entry in self.manifest.entries:
            if entry.link is not None:
                self._made(entry).symlink_to(entry.link)
        for folder, _, _ in os.walk(self._tree):
            os.chmod(folder, READABLE)
        mark = self._place / RELEASE_MARK
        mark.write_bytes(self.manifest.encoded)
        mark.chmod(0o444)
        share(self._place / LEASE).close()
        _sync_all_of(self._place)
        release = self.manifest.id
        place = self._releases.folder / release
        if place.exists():  # the same was put aside meanwhile
            self.drop()
        else:
            self._place.rename(place)
            _sync_folder(place.parent)
        return release

    def drop(self) -> None:
        """Remove what has come so far."""
        if self._part is not None:
            os.close(self._part[1])
            self._part = None
        shutil.rmtree(self._place, ignore_errors=True)


def _mode(entry: TreeEntry) -> int:
    return 0o555 if entry.executable else 0o444


def _fault(path: Path, entry: TreeEntry) -> str:
    """What is wrong with a file of a release; "" where nothing is."""
    try:
        status = path.lstat()
        if entry.link is not None:
            right = stat.S_ISLNK(status.st_mode) and os.readlink(path) == entry.link
            return "" if right else "is not the link that it was"
        if not stat.S_ISREG(status.st_mode):
            return "is no file any more"
        if bool(status.st_mode & stat.S_IXUSR) != entry.executable:
            return "has another mode than was put aside"
        if status.st_size != entry.size or _digest_of(path) != entry.digest:
            return "was changed since it was put aside"
    except (FileNotFoundError, NotADirectoryError):
        return "is missing"
    return ""


def _digest_of(path: Path) -> str:
    digest = content_digest()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    found: str = digest.hexdigest()
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all_of(folder: Path) -> None:
    """Have what was written below it on disk. One call for the whole file system, where there is
    one: thousands of fsync(2) would take seconds."""
    if sys.platform != "linux":
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
