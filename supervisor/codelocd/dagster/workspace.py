"""Where code servers listen, and the workspace.yaml that leads Dagster to them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder, replace_text
from codelocd.dagster.code_server import SERVER, CodeServer, Drain, Hold, hold_nothing
from codelocd.model import GrpcServer, LocationSpec


def text(links: Mapping[str, Path], external: Iterable[LocationSpec]) -> str:
    """The text of the workspace.yaml: one `grpc_server` for each location by its link, and the
    external ones."""
    import yaml  # here: only Dagster's UI needs it, and it would slow every start down

    ours = [_entry({"socket": str(link)}, name) for name, link in sorted(links.items())]
    theirs = [_entry(_address(spec.target), spec.name) for spec in external]
    return yaml.safe_dump({"load_from": [*ours, *theirs]}, allow_unicode=True)


def write(path: Path, content: str) -> bool:
    """Whether it says something new. Readers see the old file or the new one."""
    if path.is_file() and path.read_text("utf-8") == content:
        return False
    replace_text(path, content, mode=0o644)
    return True


def _entry(address: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"grpc_server": {**address, "location_name": name}}


def _address(server: object) -> dict[str, Any]:
    assert isinstance(server, GrpcServer)
    where = {"socket": server.socket} if server.socket else {"port": server.port}
    return {"host": server.host, **where, **({"ssl": True} if server.ssl else {})}


class Links:
    """The links by which Dagster finds the code server of each location.

    What a link no longer leads to ends when its runs have. `current`: the servers; `served`: the
    interpreters that Dagster was led to, also those whose server is gone. `news` is set when
    there is another one of these.
    """

    def __init__(
        self, sockets: Sockets, drain: Drain, news: asyncio.Event, hold: Hold = hold_nothing
    ) -> None:
        self._hold = hold
        self._sockets = sockets
        self._drain = drain
        self._news = news
        self.current: dict[str, CodeServer] = {}
        self.served: dict[str, Path] = {}

    def path(self, location: str) -> Path:
        return self._sockets.link(location)

    def lead(self, location: str, server: CodeServer) -> None:
        self._sockets.lead(location, server.path)
        former = self.current.get(location)
        self.current[location] = server
        self._hold(server, SERVER)
        if former is not None and former is not server and not former.exited.done():
            self._drain.take(former)
        if self.served.get(location) != server.executable:
            self.served[location] = server.executable
            self._news.set()

    def release(self, location: str, server: CodeServer) -> None:
        if self.current.get(location) is server:
            del self.current[location]
            self._drain.take(server)

    def forget(self, location: str) -> None:
        del self.served[location]
        self._sockets.forget(location)

    def keep_only(self, locations: Collection[str]) -> None:
        """Servers of others, as an earlier daemon may have left them, end with their runs."""
        for name, server in tuple(self.current.items()):
            if name not in locations:
                self.release(name, server)
                if name in self.served:
                    self.forget(name)

    async def close(self, seconds: float) -> None:
        """End all servers, their runs included, in so many seconds."""
        for server in self.current.values():
            self._drain.take(server)
        await self._drain.close(seconds)
        self._sockets.close()

    def kill(self) -> None:
        for server in self.current.values():
            server.kill()


LONGEST = 100
"""Bytes of a path that every program can connect to: `sun_path` holds 107."""


class Sockets:
    """The folder of one daemon's code servers; 0700, short enough, the same at every start."""

    def __init__(self, runtime: Path, kept: Collection[Path] = ()) -> None:
        """`kept`: where servers listen that an earlier daemon has left; so are links to them."""
        self.folder = _folder(runtime)
        self._numbers = itertools.count(1)
        for left in self.folder.iterdir():
            if (left.parent / (left.readlink() if left.is_symlink() else left)) not in kept:
                left.unlink()

    def new(self) -> Path:
        """A path that no server has, of this daemon or an earlier one: each unlinks its own when it
        ends."""
        self._make_folder()
        paths = (self.folder / f"{os.getpid()}-{number}" for number in self._numbers)
        return next(path for path in paths if not path.exists())

    def link(self, location: str) -> Path:
        """The path that Dagster knows the location's code server by, for ever."""
        return self.folder / blake2b(location.encode(), digest_size=6).hexdigest()

    def lead(self, location: str, server: Path) -> None:
        """Have the link lead to `server`, at once: at no moment does it lead nowhere."""
        self._make_folder()
        link = self.link(location)
        draft = link.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(server.name)
        draft.rename(link)

    def forget(self, location: str) -> None:
        self.link(location).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder, unless somebody still listens there."""
        with contextlib.suppress(OSError):
            for link in filter(Path.is_symlink, self.folder.iterdir()):
                if not link.exists():
                    link.unlink()
            self.folder.rmdir()

    def _make_folder(self) -> None:
        """Make the folder again where it was removed."""
        make_folder(self.folder)


def _folder(runtime: Path) -> Path:
    folder = runtime / "dagster"
    if len(os.fsencode(folder)) + 20 > LONGEST:
        name = blake2b(os.fsencode(runtime), digest_size=6).hexdigest()
        folder = Path(tempfile.gettempdir(), f"codelocd-{os.getuid()}-{name}")
    make_folder(folder)
    found = folder.lstat()  # a link that another user made could lead to any of our folders
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to another user, or others can use it; remove it")
    return folder
