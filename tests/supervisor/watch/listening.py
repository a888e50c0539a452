"""A project in a folder, and a listener to its watch."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codelocd.watch.notices import Change, Watched
from codelocd.watch.polling import INTERVAL
from codelocd.watch.watch import SourceWatch

DEADLINE = 60.0


@dataclass
class Listener:
    """One location, `sales`, in `folder`; collects what the watch says about it."""

    folder: Path
    poll_interval: float = INTERVAL
    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    watch: SourceWatch = field(init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.watch = SourceWatch(self._on_change, self._on_problem, loop, self.poll_interval)

    def _on_change(self, location: str, change: Change) -> None:
        assert location == "sales"
        self.changes.append(change)
        self._news.set()

    def _on_problem(self, line: str) -> None:
        self.problems.append(line)
        self._news.set()

    @staticmethod
    def digest(text: str) -> str:
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def serve(self, *files: Path, **other: Any) -> None:
        """Follows these files, and takes what they hold as served."""
        self.follow(*files, **other)
        self.watch.begin("sales")
        sources = {str(file): self.digest(file.read_text()) for file in files}
        assert not self.watch.loaded("sales", sources).paths
        self.watch.took_over("sales")

    def follow(
        self,
        *files: Path,
        roots: tuple[Path, ...] | None = None,
        patterns: tuple[str, ...] = (),
        ignore: tuple[str, ...] = (),
        inputs: tuple[Path, ...] = (),
    ) -> None:
        watched = Watched(
            files=frozenset(map(str, files)),
            roots=tuple(map(str, (self.folder,) if roots is None else roots)),
            patterns=(*patterns, "*.mark"),
            ignore=ignore,
            base=str(self.folder),
            inputs=frozenset(map(str, inputs)),
        )
        self.watch.follow("sales", watched)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits until this holds; it is asked again after each change and problem."""
        async with asyncio.timeout(DEADLINE):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def change(self) -> Change:
        """The newest change, as soon as there is one; the ones before it are forgotten."""
        await self.until(lambda: bool(self.changes))
        change = self.changes[-1]
        self.changes.clear()
        return change

    async def changed_to(self, texts: Mapping[Path, str | None]) -> None:
        """Waits until exactly these files are known to differ from what is served.

        A new attempt then sees them, and is served.
        """
        paths = tuple(sorted(map(str, texts)))
        await self.until(lambda: bool(self.changes) and self.changes[-1].paths == paths)
        self.watch.begin("sales")
        sources = {str(path): self.digest(text) for path, text in texts.items() if text is not None}
        assert not self.watch.loaded("sales", sources).paths
        assert self.watch.differing("sales") == len(texts)
        self.watch.took_over("sales")
        self.changes.clear()

    async def quiet(self) -> None:
        """Nothing of what was done before is news.

        A file is linked last: that is looked at after everything else has settled.
        """
        text = self.folder.parent / "mark"
        text.write_text("now")
        mark = self.folder / f"{len(list(self.folder.glob('*.mark')))}.mark"
        mark.hardlink_to(text)
        await self.until(lambda: bool(self.changes))
        assert [change.paths for change in self.changes] == [(str(mark),)]
        self.watch.begin("sales")
        self.watch.took_over("sales")
        self.changes.clear()
