"""The bundle: the folder that a runner is run from, versioned by its content."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from codeloc_envs import EnvironmentProblem, Lease
from codeloc_envs.files import make_folder
from codeloc_envs.ownership import distrusted
from codeloc_envs.store.layout import DRAFT_BUNDLE, Layout
from codeloc_envs.store.lease import share

RUNNER = "codeloc_runner"
API = PurePosixPath("api")
"""The folder of the bundle that holds `codeloc` and nothing else."""

PACKAGES = {RUNNER: PurePosixPath(RUNNER), "codeloc": API / "codeloc"}
CHILDREN = PurePosixPath(RUNNER, "children")
"""The folder that makes `codeloc` importable where it comes first in PYTHONPATH."""
MSGPACK = PurePosixPath(RUNNER, "_msgpack")
DIGEST_BYTES = 16
COMPILED = "__pycache__"
"""What its runners compile; they are of the same user where they can write to it. Such folders are
in it from the beginning, so that no runner's umask decides who else can."""
MARK = ".compiled-"
"""How the empty file begins by which a runner says that it has compiled all."""


def lease_bundle(store: Path) -> tuple[Path, Lease | None]:
    """The bundle of this version of codelocd in the store, made unless it is there.

    As long as the lease is held, no collector takes it away; None where the filesystem has no
    locks, so that no collector works there either. Raises OSError.
    """
    return _leased(Layout(store), contents())


def _leased(layout: Layout, files: Mapping[PurePosixPath, bytes]) -> tuple[Path, Lease | None]:
    lease = None
    _refuse_foreign(layout.root)
    make_folder(layout.bundles)
    with contextlib.suppress(EnvironmentProblem):
        lease = share(layout.bundle_lock(fingerprint(files)))
    return made(files, layout.bundles), lease


def make_bundle(root: Path) -> Path:
    """The bundle of this version of codelocd below `root`, made unless it is there.

    It is complete as soon as it has its name, and never changes: an upgrade of codelocd makes
    another one beside it, under the feet of no running runner. Raises OSError.
    """
    return made(contents(), root)


class Bundle:
    """The bundle of this version in a store, kept whole for as long as a daemon runs: the store may
    be deleted meanwhile, and with it the files of the next runner. Raises OSError."""

    def __init__(self, store: Path) -> None:
        self._layout, files = Layout(store), contents()
        self.path, self._lease = _leased(self._layout, files)
        self._sizes = {self.path / name: len(data) for name, data in files.items()}
        self.restore()

    def restore(self) -> None:
        """Make it again unless every file is there, as long as it was."""
        if _is_whole(self._sizes):
            return
        set_aside(self.path)
        self.close()
        path, self._lease = _leased(self._layout, contents())
        if path != self.path:
            raise FileNotFoundError(
                f"{self.path} was removed, and codelocd is another version by now; restart it"
            )

    def close(self) -> None:
        """From now on a collector may take it away."""
        if self._lease is not None:
            self._lease.close()


def _is_whole(sizes: Mapping[Path, int]) -> bool:
    """Whether every file is there with its size. One function: each start asks it of all files."""
    try:
        return all(os.stat(file).st_size == size for file, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError):
        return False


def made(files: Mapping[PurePosixPath, bytes], root: Path) -> Path:
    """The bundle that consists of these files."""
    bundle = root / fingerprint(files)
    _refuse_foreign(bundle if bundle.is_dir() else root)
    if bundle.is_dir() and not is_genuine(bundle, files):
        set_aside(bundle)
    if not bundle.is_dir():
        make_folder(root)
        publish(files, root, bundle)
    return bundle


def _refuse_foreign(folder: Path) -> None:
    """PermissionError where another user decides what is run from there."""
    why = distrusted(folder, (os.geteuid(), 0), private=True)
    if why:
        what = f"{why}; what is there is run: change its owner and mode, or name another store"
        raise PermissionError(errno.EPERM, what, str(folder))


def is_genuine(bundle: Path, files: Mapping[PurePosixPath, bytes]) -> bool:
    """Whether it holds what its name says, and nothing more that could be imported.

    False, too, where somebody removes parts of it meanwhile.
    """
    own = (os.geteuid(), 0)
    with contextlib.suppress(OSError):
        entries = [path for path in bundle.rglob("*") if path.parent.name != COMPILED]
        found = {path: path.lstat() for path in entries if not path.name.startswith(MARK)}
        if any(each.st_uid not in own or each.st_mode & 0o022 for each in found.values()):
            return False
        plain = {path for path, each in found.items() if not stat.S_ISDIR(each.st_mode)}
        return plain == {bundle / name for name in files} and all(
            stat.S_ISREG(found[bundle / name].st_mode) and (bundle / name).read_bytes() == data
            for name, data in files.items()
        )
    return False


def set_aside(bundle: Path) -> None:
    """Its name is free for another, under the feet of no process that has files of it open."""
    with contextlib.suppress(FileNotFoundError):
        bundle.rename(bundle.with_name(f"{DRAFT_BUNDLE}{os.urandom(6).hex()}"))


def contents() -> dict[PurePosixPath, bytes]:
    """Every file of the bundle: both packages, and the pure-Python msgpack under a private name.

    Without its compiled half msgpack falls back to Python by itself.
    """
    files = {}
    for package, target in PACKAGES.items():
        files.update(modules(package, target, "**/*.py"))
    files.update(modules("msgpack", MSGPACK, "*.py"))
    return files


def modules(package: str, target: PurePosixPath, pattern: str) -> dict[PurePosixPath, bytes]:
    """The sources of an installed package, by where they go; nothing is imported for it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"package {package!r} of codelocd is not installed; install codelocd again"
        )
    source = Path(spec.origin).parent
    return {target / file.relative_to(source): file.read_bytes() for file in source.glob(pattern)}


def fingerprint(files: Mapping[PurePosixPath, bytes]) -> str:
    """A digest of names and contents, lengths included: no two sets of files share it."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name, data in sorted(files.items()):
        digest.update(f"{len(str(name))} {name} {len(data)} ".encode())
        digest.update(data)
    return digest.hexdigest()


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def publish(files: Mapping[PurePosixPath, bytes], root: Path, bundle: Path) -> None:
    """Write beside, then rename. If another process has made the same bundle by then, that one is
    used."""
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_BUNDLE, dir=root))
    try:
        for folder in {name.parent for name in files}:
            make_folder(draft / folder / COMPILED)
        for name, data in files.items():
            with open(os.open(draft / name, _NEW, 0o600), "wb") as opened:
                opened.write(data)
        os.rename(draft, bundle)
    except OSError:
        if not bundle.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
