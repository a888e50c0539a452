"""What is kept of runs goes when its time is over, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codelocd.daemon.runs.retention import RunRetention
from codelocd.runs.book import RunBook
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish
from codelocd.runs.texts import digest_of
from codelocd.settings import RunsSettings
from codelocd.storage.logs import Logs

DAY = 86400.0


class Kept:
    """A book, and all that runs leave beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.book = RunBook(folder / "book.sqlite")
        self.folders = RunFolders(folder)
        self.logs = Logs(folder / "logs")
        self.code = folder / "code"
        self.code.mkdir()
        self.settings = RunsSettings(keep=30 * DAY, keep_runs=3)
        self.served: set[str] | None = set()

    def manifest(self, *texts: str) -> str:
        """The digest of code with these texts, which are kept."""
        sources = {}
        for text in texts:
            digest = digest_of(text.encode())
            (self.code / digest).write_text(text)
            sources[f"/{text}.py"] = digest
        data = json.dumps({"sources": sources, "modules": {}}).encode()
        (self.code / digest_of(data)).write_bytes(data)
        return digest_of(data)

    def run(self, manifest: str, days: float = 0.0, *, ends: bool = True) -> RunId:
        run, _ = self.book.add(RunWish("sales"), 1.0).result()
        changed: RunRecord = replace(run, manifest=manifest)
        if ends:
            at = time.time() - days * DAY
            changed = replace(changed, state=RunState.SUCCEEDED, ended=at)
        self.book.save([changed]).result()
        self.folders.write_order(run.id, 1, {})
        self.logs.output(str(run.id), 1)("stdout", b"line\n")
        return run.id

    async def tidy(self) -> None:
        parts = self.book, self.folders, self.root / "logs", self.code
        await RunRetention(*parts, lambda: self.settings, lambda: self.served).once()

    def numbers(self) -> list[int]:
        return sorted(each.id for each in self.book.listed().result())

    def logged(self) -> list[int]:
        return sorted(int(file.name.partition(".")[0]) for file in self.root.glob("logs/*.log*"))

    def texts(self) -> set[str]:
        return {file.read_text() for file in self.code.iterdir() if b"{" not in file.read_bytes()}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    kept = Kept(tmp_path)
    yield kept
    kept.logs.close()
    kept.book.close()


def test_what_is_too_old_or_too_many_goes_with_its_output_and_its_code(kept: Kept) -> None:
    old = kept.run(kept.manifest("old", "both"), days=31)
    kept.run(kept.manifest("many"))
    stays = [kept.run(kept.manifest("new", "both")) for _ in range(3)]
    unfinished = [kept.run(kept.manifest("new", "both"), ends=False)]
    served = kept.manifest("served")
    kept.served = {served}
    kept.settings = replace(kept.settings, keep_runs=4)
    asyncio.run(kept.tidy())
    assert old not in kept.numbers()
    assert kept.numbers() == sorted([*stays, *unfinished])
    assert kept.logged() == kept.numbers()
    assert sorted(kept.folders.numbers()) == kept.numbers()
    assert kept.texts() == {"new", "both", "served"}


def test_texts_stay_while_a_location_loads(kept: Kept) -> None:
    kept.run(kept.manifest("old"), days=31)
    kept.run(kept.manifest("new"))
    kept.manifest("in the making")
    kept.served = None
    asyncio.run(kept.tidy())
    assert kept.texts() == {"old", "new", "in the making"}


def test_what_a_daemon_that_died_half_way_left_goes_the_next_time(kept: Kept) -> None:
    gone, stays = kept.run(kept.manifest("a"), days=31), kept.run(kept.manifest("b"))
    kept.book.prune(time.time()).result()
    asyncio.run(kept.tidy())
    assert gone not in kept.folders.numbers()
    assert kept.logged() == kept.numbers() == [stays]


def test_a_run_that_is_newer_than_what_was_looked_at_keeps_its_files(kept: Kept) -> None:
    kept.run(kept.manifest("a"))
    kept.folders.write_order(RunId(99), 1, {})
    asyncio.run(kept.tidy())
    assert RunId(99) in kept.folders.numbers()


def test_many_runs_go_in_pieces(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codelocd.runs.book.BATCH", 2)
    for _ in range(7):
        kept.run(kept.manifest("a"), days=31)
    last = [kept.run(kept.manifest("a")) for _ in range(3)]
    asyncio.run(kept.tidy())
    assert kept.numbers() == last
