"""Sends to nodes what they lack: code, what describes environments, and codelocd's own programs."""

from __future__ import annotations

import asyncio
import importlib.metadata
import io
import os
import zipfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from packaging.requirements import Requirement

from codeloc_ray.contents import FileDigests, Manifest
from codeloc_ray.leaving_out import LeftOut
from codeloc_ray.node.store import digest

PIECE_BYTES = 4 * 1024 * 1024
"""Of contents in one message."""
TOOLS = ("virtualenv", "uv", "packaging")
EVERYTHING = 1 << 62
LIMIT = 256 * 1024 * 1024
"""Bytes of one location's code, where the daemon names no limit."""
ALONE = ("packages", "pylock.toml", "script", "Pipfile", "existing")
"""Kinds of environments that their files describe: no project has to be built for them."""

Ask = Callable[..., Awaitable[Any]]


class Everything:
    """Nothing is left out but bytecode, and what runners note in their bundle."""

    def environment(self, names: Sequence[str]) -> bool:
        return False

    def file(self, path: str) -> bool:
        return os.path.basename(path).startswith(".compiled-")

    def folder(self, path: str) -> bool:
        return os.path.basename(path) == "__pycache__"


class Shipping:
    """`packages`: folders of the daemon's own packages on this machine; `bundle`: the runners'."""

    def __init__(self, packages: Mapping[str, str], bundle: str) -> None:
        self._packages = packages
        self._contents = FileDigests()
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._bundle = bundle
        self._own: tuple[Manifest, Manifest] | None = None
        self.archive = zipped(os.path.dirname(__file__))
        self.archive_digest = digest(self.archive)

    async def own(self) -> tuple[Manifest, Manifest]:
        """What runners are run from, and what builds environments."""
        if self._own is None:
            self._own = await asyncio.to_thread(lambda: (self._runners(), self._tools()))
        return self._own

    async def code(self, code: Mapping[str, Any], program: Mapping[str, Any] | None) -> Manifest:
        """The code of a location at this moment. Raises EngineError where it is too large."""
        directory = code["directory"]
        leaves = LeftOut(directory, code.get("ignore") or (), self._packages["codelocd"])
        folders, files = [directory], list(code.get("files") or ())
        target = (program or {}).get("target") or {}
        if target.get("kind") == "python_file":
            folder = os.path.dirname(target["value"])
            files.append(target["value"])
            if not (folder + "/").startswith(directory.rstrip("/") + "/"):
                folders.append(folder)
        limit = code.get("limit") or LIMIT
        return await asyncio.to_thread(self._contents.manifest, folders, files, leaves, limit)

    async def described(
        self, specification: Mapping[str, Any], inputs: Sequence[str], code: Manifest
    ) -> Manifest:
        """What an environment is built from. Its name changes with the inputs alone: a save of
        code that is installed editable leads to no other environment."""
        described = await asyncio.to_thread(
            self._contents.manifest, (), inputs, Everything(), EVERYTHING
        )
        if specification["kind"] in ALONE and not specification["request"]["requirements"]:
            return replace(described, name=f"described-{described.name}", lasting=True)
        files = {**code.files, **described.files}
        name = f"described-{described.name}"
        return Manifest(name, files, {**code.origins, **described.origins}, lasting=True)

    async def send(self, node: str, ask: Ask, manifests: Sequence[Manifest]) -> list[str]:
        """Have the node hold these trees; returns their folders there. One host of a node at a
        time: what two locations share is sent once."""
        async with self._one_at_a_time[node]:
            digests = sorted({each for one in manifests for each in one.origins})
            names = [each.name for each in manifests]
            said = await ask("missing", digests=digests, trees=names)
            lacking = [each for each in manifests if each.name in said["trees"]]
            needed = {each: one.origins[each] for one in lacking for each in one.origins}
            missing = {each: needed[each] for each in said["digests"] if each in needed}
            for pieces in _batches(missing):
                await ask("put", pieces=pieces)
            return [
                await ask(
                    "tree",
                    name=each.name,
                    files=each.files if each in lacking else {},
                    lasting=each.lasting,
                )
                for each in manifests
            ]

    # --- codelocd's own ------------------------------------------------------------------------

    def _runners(self) -> Manifest:
        found = self._contents.manifest([self._bundle], (), Everything(), EVERYTHING)
        return _relative(found, self._bundle, "")

    def _tools(self) -> Manifest:
        files: dict[str, list[Any]] = {}
        origins: dict[str, str] = {}
        envs = self._packages["codeloc_envs"]
        own = self._contents.manifest([envs], (), Everything(), EVERYTHING)
        parts = [_relative(own, envs, "codeloc_envs/")]
        parts += map(self._distribution, sorted(_closure(TOOLS)))
        for each in parts:
            files.update(each.files)
            origins.update(each.origins)
        return Manifest.of(files, origins, lasting=True)

    def _distribution(self, name: str) -> Manifest:
        """All files of a distribution, programs among them: uv is one."""
        listed = importlib.metadata.distribution(name).files or []
        places = {str(file.locate()): str(file) for file in listed}
        real = {os.path.normpath(path): name for path, name in places.items()}
        wanted = [path for path in real if not path.endswith(".pyc")]
        found = self._contents.manifest((), wanted, Everything(), EVERYTHING)
        files = {real[path].lstrip("./"): each for path, each in found.files.items()}
        return Manifest.of(files, found.origins)


def _relative(manifest: Manifest, folder: str, place: str) -> Manifest:
    files = {place + os.path.relpath(path, folder): each for path, each in manifest.files.items()}
    return Manifest.of(files, manifest.origins, lasting=True)


def _closure(names: Iterable[str]) -> set[str]:
    """These distributions, and those that they need here."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def _batches(missing: Mapping[str, str]) -> Iterator[list[tuple[str, int, bytes, bool]]]:
    """Pieces of contents, so many together that few messages are needed."""
    batch: list[tuple[str, int, bytes, bool]] = []
    size = 0
    for name, path in missing.items():
        for piece in _pieces(name, path):
            batch.append(piece)
            size += len(piece[2])
            if size >= PIECE_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _pieces(name: str, path: str) -> Iterator[tuple[str, int, bytes, bool]]:
    with open(path, "rb") as file:
        offset, data = 0, file.read(PIECE_BYTES)
        while True:
            following = file.read(PIECE_BYTES) if len(data) == PIECE_BYTES else b""
            yield name, offset, data, not following
            if not following:
                return
            offset, data = offset + len(data), following


def zipped(package: str) -> bytes:
    """This package, as a node imports it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for where, folders, names in os.walk(package):
            folders[:] = sorted(each for each in folders if each != "__pycache__")
            for name in sorted(names):
                if name.endswith(".py"):
                    path = os.path.join(where, name)
                    place = os.path.relpath(path, os.path.dirname(package))
                    info = zipfile.ZipInfo(place)
                    with open(path, "rb") as file:
                        archive.writestr(info, file.read())
    return packed.getvalue()
