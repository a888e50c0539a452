"""State files of any wrong shape: set aside with a warning, and nothing is wedged by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from codeloc_envs import files
from codeloc_envs.fingerprint import EnvironmentKey
from codeloc_envs.store.layout import Layout
from codeloc_envs.store.records import Publication, publications, read_publication, read_resolution
from codelocd.model import Snapshot
from codelocd.runners.warm.profile import ImportProfile
from codelocd.runners.warm.profiles import ImportProfiles
from codelocd.storage.desired_state import DesiredState
from codelocd.storage.snapshots import Documents, Snapshots, stopped

SHAPES = (
    "[1, 2]",
    "{}",
    "null",
    "7",
    '"text"',
    "{",
    "",
    '{"stopped": "sales"}',
    '{"stopped": [1]}',
    '{"packages": 5, "lock": 1, "locations": []}',
    "[" * 100_000,
    "\udcff\udcfe",
)
"""Of any file: other JSON, half of it, none, nested without end, no text."""

GOOD = Snapshot("native", "3.12.1", 0.1, (), {"/a.py": "0"})


@pytest.fixture(autouse=True)
def nothing_found() -> Iterator[None]:
    files.found.clear()
    yield
    files.found.clear()


def damage(path: Path, shape: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shape.encode("utf-8", "surrogateescape"))


def is_kept(path: Path, shape: str) -> bool:
    (found,) = [each for each in files.found if each.path == path]
    kept = found.kept.read_bytes() == shape.encode("utf-8", "surrogateescape")
    return kept and not path.exists() and found.text.startswith(f"{path} was damaged")


@pytest.mark.parametrize("shape", SHAPES)
def test_promise_9_a_damaged_wanted_json_is_set_aside_and_nobody_who_was_stopped_is_forgotten(
    tmp_path: Path, shape: str
) -> None:
    entries = Documents(tmp_path / "last")
    entries.keep("sales", {"name": "sales", "wanted": False})
    entries.keep("ops", {"name": "ops", "wanted": True})
    path = tmp_path / "wanted.json"
    damage(path, shape)
    desired = DesiredState(path, lambda: stopped(entries.all()))
    assert not desired.is_wanted("sales")
    assert desired.is_wanted("ops")
    (found,) = files.found
    assert found.kept.exists()
    assert found.text.endswith("stopped, as far as is known: sales")
    assert not DesiredState(path).is_wanted("sales")


@pytest.mark.parametrize(
    "shape",
    [
        *SHAPES,
        json.dumps({**GOOD.to_json(), "definitions": [1]}),
        json.dumps({**GOOD.to_json(), "definitions": [{"kind": "asset"}]}),
        json.dumps({**GOOD.to_json(), "definitions": 5}),
        json.dumps({**GOOD.to_json(), "sources": []}),
        json.dumps({**GOOD.to_json(), "load_seconds": "long"}),
    ],
)
def test_promise_9_a_damaged_snapshot_is_set_aside_and_is_none(tmp_path: Path, shape: str) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.keep("sales", GOOD)
    assert snapshots.last("sales") == GOOD
    path = tmp_path / "sales.json"
    damage(path, shape)
    assert snapshots.last("sales") is None
    assert is_kept(path, shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_promise_9_damaged_last_entries_are_left_out(tmp_path: Path, shape: str) -> None:
    entries = Documents(tmp_path)
    entries.keep("sales", {"name": "sales", "wanted": False})
    damage(tmp_path / "ops.json", shape)
    assert stopped(entries.all()) == ["sales"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_promise_9_what_was_learned_of_warm_starts_is_learned_again(
    tmp_path: Path, shape: str
) -> None:
    damage(tmp_path / "key.json", shape)
    assert ImportProfiles(tmp_path).of("key") == ImportProfile()
    assert is_kept(tmp_path / "key.json", shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_promise_9_a_damaged_record_of_the_store_counts_as_missing(
    tmp_path: Path, shape: str
) -> None:
    layout = Layout(tmp_path)
    damage(layout.pointer("key"), shape)
    assert read_publication(layout, "key") is None
    assert is_kept(layout.pointer("key"), shape)
    assert list(publications(layout)) == []
    record = layout.resolutions / "key" / "resolution.json"
    damage(record, shape)
    assert read_resolution(record.parent) is None
    assert is_kept(record, shape)


def test_a_record_with_one_field_of_another_type_is_damaged(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    key = EnvironmentKey("key")
    good = asdict(Publication(key, "key-1", "3.12.1", "/p", "0", ("six==1",), 1, 1, 1.0))
    for name in good:
        damage(layout.pointer("key"), json.dumps({**good, name: {}}))
        assert read_publication(layout, "key") is None, name
    damage(layout.pointer("key"), json.dumps(good))
    assert read_publication(layout, "key") is not None


def test_what_is_kept_is_told_until_it_is_removed(tmp_path: Path) -> None:
    damage(tmp_path / "wanted.json", "[1, 2]")
    DesiredState(tmp_path / "wanted.json")
    (found,) = files.kept_in(tmp_path)
    files.found.clear()  # as another process sees it
    (again,) = files.kept_in(tmp_path)
    assert (again.path, again.kept) == (found.path, found.kept)
    found.kept.unlink()
    assert files.kept_in(tmp_path) == []


async def test_a_wish_that_cannot_be_written_is_written_once_it_can_be(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    desired = DesiredState(folder / "wanted.json", again=0.01)
    desired.unwant("sales")
    assert "would not know what is stopped" in desired.unwritten
    folder.unlink()
    async with asyncio.timeout(60):
        while desired.unwritten:  # noqa: ASYNC110 no event tells that it was tried again
            await asyncio.sleep(0.01)
    assert not DesiredState(folder / "wanted.json").is_wanted("sales")
