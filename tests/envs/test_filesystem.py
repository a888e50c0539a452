"""A store lies only where locks mean something."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem, Store, choose
from codeloc_envs.filesystem import filesystem_type, require_locks

LINE = "{number} 1 0:{number} / {place} rw,relatime shared:1 - {kind} source rw\n"


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """The root on ext4, and below the test's folder a share with a blank in its name."""
    shared = str(tmp_path / "a share").replace(" ", "\\040")
    file = tmp_path / "mountinfo"
    places = [("/", "ext4"), (shared, "nfs4"), (f"{shared}/local", "xfs")]
    file.write_text(
        "".join(
            LINE.format(number=number, place=place, kind=kind)
            for number, (place, kind) in enumerate(places)
        )
    )
    return file


def test_the_mount_that_is_nearest_counts(tmp_path: Path, mounts: Path) -> None:
    share = tmp_path / "a share"
    assert filesystem_type(tmp_path, mounts) == "ext4"
    assert filesystem_type(share / "store", mounts) == "nfs4"
    assert filesystem_type(share / "local/store", mounts) == "xfs"
    assert filesystem_type(tmp_path, tmp_path / "nothing") is None


def test_a_store_on_a_network_filesystem_is_refused(tmp_path: Path, mounts: Path) -> None:
    store = tmp_path / "a share" / "store"
    store.mkdir(parents=True)
    with pytest.raises(EnvironmentProblem, match=f"the store {store} is on nfs4, where locks"):
        require_locks(store, mounts)


def test_a_store_where_everybody_gets_a_lock_is_refused(
    store: Store, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(EnvironmentProblem, match="without working locks; put it on a local disk"):
        store.build(choose(None, code=workplace).specification, print)


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    require_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []
