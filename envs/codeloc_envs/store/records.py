"""The records of a store about an environment: its lock, and what was built."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs.environment import Environment, Origin
from codeloc_envs.files import mapping, of_type, read_record, set_aside, texts, write_json
from codeloc_envs.fingerprint import EnvironmentKey, canonical, digest_bytes
from codeloc_envs.problem import EnvironmentProblem, shortage
from codeloc_envs.project.pylock import LocalSource, read_lock
from codeloc_envs.store.layout import Layout
from codeloc_envs.store.lease import last_used

if TYPE_CHECKING:
    from codeloc_envs.documents import InstalledPackage

LOCK_NAME = "pylock.toml"
RECORD_NAME = "resolution.json"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The lock that a description was resolved to, kept until one of its inputs changes.

    What the inputs key stands for: a lock, and the environment that it gives.

    `sources` are digests of the local packages in it by path and manner (`editable` or `copy`):
    they change without any description changing. `resolved` is Unix time, `why` what was
    described.
    """

    environment: EnvironmentKey
    lock: Path
    sources: Mapping[str, str]
    resolved: float
    why: str = ""

    def is_current(self) -> bool:
        """The local packages are still what they were."""
        try:
            now = {name: _source(name).digest() for name in self.sources}
        except (OSError, EnvironmentProblem) as error:
            if shortage(error) or getattr(error, "shortage", None):
                raise
            return False
        return now == self.sources

    def files(self) -> tuple[Path, ...]:
        """The files of the local packages that count."""
        return tuple(file for name in self.sources for file in _source(name).files())


def reasons(folders: Iterable[Path]) -> dict[str, list[str]]:
    """What was described, by the environment that it gives; looking at them is no use."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        kept = read_record(folder / RECORD_NAME, _resolution)
        if kept is not None and kept.why:
            found.setdefault(kept.environment, []).append(kept.why)
    return found


def source_name(source: LocalSource) -> str:
    """The key of a source in `Resolution.sources`."""
    return f"{'editable' if source.editable else 'copy'}:{source.path}"


def read_resolution(folder: Path) -> Resolution | None:
    """What is kept in `folder`; reading it counts as use."""
    kept = read_record(folder / RECORD_NAME, _resolution)
    if kept is None or not kept.lock.is_file():
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / RECORD_NAME)
    return kept


def _resolution(data: Any) -> Resolution:
    """Raises what read_record expects of another shape."""
    made = Resolution(**{**mapping(data), "lock": Path(data["lock"])})
    for name, digest in mapping(made.sources).items():
        of_type(digest, str)
        _source(name)
    of_type(made.environment, str)
    of_type(made.resolved, (int, float))
    of_type(made.why, str)
    return made


def has_sound_lock(layout: Layout, resolution: Resolution) -> bool:
    """Whether its lock can be read; one of our own that cannot is set aside, to be made again."""
    try:
        read_lock(resolution.lock)
    except EnvironmentProblem as problem:
        if problem.shortage is not None or not resolution.lock.is_relative_to(layout.resolutions):
            raise
        set_aside(resolution.lock)
        return False
    return True


def write_resolution(folder: Path, resolution: Resolution) -> None:
    write_json(folder / RECORD_NAME, {**asdict(resolution), "lock": str(resolution.lock)})


def _source(name: str) -> LocalSource:
    manner, _, path = name.partition(":")
    return LocalSource("", Path(path), manner == "editable")


@dataclass(frozen=True, slots=True)
class Publication:
    """The record that makes an environment exist: without it, a folder is only remains.

    What is known of a ready environment.

    `directory` is its folder's name; `site` its site-packages' fingerprint; `packages` are
    `name==version`; sizes in bytes on disk, of which `shared` in files that the package cache
    or other environments link to as well; `created` in Unix seconds.
    """

    key: EnvironmentKey
    directory: str
    python: str
    interpreter: str
    site: str
    packages: tuple[str, ...]
    size: int
    shared: int
    created: float

    def last_used(self, layout: Layout) -> float:
        """In Unix seconds; when it was created if it was not used since."""
        return last_used(layout.lease(self.directory)) or self.created

    def environment(self, layout: Layout, origin: Origin, sources: tuple[Path, ...]) -> Environment:
        path = layout.environments / self.directory
        return Environment(
            self.key,
            path,
            self.python,
            path / "bin/python",
            origin,
            has_bytecode=True,
            sources=sources,
        )


def read_publication(layout: Layout, key: str) -> Publication | None:
    return read_record(layout.pointer(key), _publication)


def _publication(data: Any) -> Publication:
    """Raises what read_record expects of another shape."""
    made = Publication(**{**mapping(data), "packages": texts(data["packages"])})
    named = (made.key, made.directory, made.python, made.interpreter, made.site)
    counted = (made.size, made.shared, made.created)
    if not all(isinstance(each, str) for each in named):
        raise TypeError
    if not all(isinstance(each, int | float) for each in counted):
        raise TypeError
    return made


def publish(layout: Layout, publication: Publication) -> None:
    """From now on it is found."""
    write_json(layout.pointer(publication.key), asdict(publication))


def publications(layout: Layout) -> Iterator[Publication]:
    """All that are published, in the order of their keys."""
    for pointer in sorted(layout.keys.glob("*.json")):
        publication = read_publication(layout, pointer.stem)
        if publication is not None:
            yield publication


_INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth", ".py")


def unfit(layout: Layout, publication: Publication) -> str | None:
    """Whether an environment still is what was built.

    Why it must not be used, None if it may; takes less than a millisecond.
    """
    path = layout.environments / publication.directory
    python = path / "bin/python"
    if not path.is_dir():
        return f"its folder {path} is gone"
    if not python.exists():
        return f"its Python {publication.interpreter} is gone"
    try:
        if site_fingerprint(path) != publication.site:
            return f"its packages were changed by someone else: {_difference(path, publication)}"
    except FileNotFoundError:
        return f"its folder {path} was removed a moment ago"
    return None


def site_fingerprint(prefix: Path) -> str:
    """Of what an installer leaves in site-packages: names, times and inodes.

    Importing changes none of it; `pip install` always does.
    """
    marks = [
        (entry.name, entry.stat(follow_symlinks=False).st_mtime_ns, entry.inode())
        for entry in _entries(prefix)
        if entry.name.endswith(_INSTALLED)
    ]
    return digest_bytes(canonical(sorted(marks)).encode())


def installed_packages(prefix: Path) -> tuple[str, ...]:
    """`name==version` of every package, sorted."""
    names = (entry.name for entry in _entries(prefix) if entry.name.endswith(".dist-info"))
    return tuple(sorted(_requirement(name) for name in names))


def package_sizes(prefix: Path) -> list[InstalledPackage]:
    """Every package with the bytes of its files, sorted. Reads a file of each."""
    found: list[InstalledPackage] = []
    for folder in _entries(prefix):
        if folder.name.endswith(".dist-info"):
            name, _, version = _requirement(folder.name).partition("==")
            found.append({"name": name, "version": version, "size": _size(folder.path)})
    return sorted(found, key=lambda package: package["name"].lower())


def _size(folder: str) -> int | None:
    """The sum of the sizes in RECORD, whose lines are `path,hash,size`; some files have none."""
    try:
        with open(os.path.join(folder, "RECORD"), encoding="utf-8", errors="replace") as record:
            sizes = (line.rpartition(",")[2].strip() for line in record)
            return sum(int(size) for size in sizes if size.isdecimal())
    except OSError:
        return None


def _requirement(folder: str) -> str:
    """https://packaging.python.org/en/latest/specifications/recording-installed-packages/"""
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    return f"{name.replace('_', '-')}=={version}"


def _difference(path: Path, publication: Publication) -> str:
    now, then = set(installed_packages(path)), set(publication.packages)
    changes = [*(f"+ {name}" for name in now - then), *(f"- {name}" for name in then - now)]
    return ", ".join(sorted(changes)) or "files in site-packages"


def _entries(prefix: Path) -> Iterator[os.DirEntry[str]]:
    for version in os.listdir(prefix / "lib"):  # glob would pass over what it cannot open
        site = prefix / "lib" / version / "site-packages"
        if site.is_dir():
            with os.scandir(site) as entries:
                yield from entries
