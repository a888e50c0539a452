"""What a node of a cluster removes: what no runner there uses any more."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codeloc_envs import Request, choose
from codeloc_envs.store.store import Store
from codeloc_ray.node import environments, process

LONG_AGO = time.time() - 365 * 24 * 3600


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files: with a short name, for sockets."""
    with tempfile.TemporaryDirectory(prefix="upkeep-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_the_folder_of_a_killed_hosts_socket_is_removed_and_a_living_ones_stays(
    temporary: Path,
) -> None:
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as killed:
        for name, listener in (("living", living), ("killed", killed)):
            folder = temporary / f"{process.FOLDER}{name}"
            folder.mkdir()
            listener.bind(str(folder / process.SOCKET))
            listener.listen()
            os.utime(folder, (LONG_AGO, LONG_AGO))
        killed.close()
        (temporary / f"{process.FOLDER}young").mkdir()
        process.remove_left_folders()
        left = sorted(each.name.removeprefix(process.FOLDER) for each in temporary.iterdir())
        assert left == ["living", "young"]


def test_an_environment_goes_when_no_host_holds_it_and_it_is_old(tmp_path: Path) -> None:
    request = Request(python="3.11", packages=())
    specification = choose(request, code=tmp_path / "definitions.py").specification
    store = Store(tmp_path / "environments")
    environment = store.build(specification, lambda _: None)
    held = environments.held(str(tmp_path), environment.to_json())
    assert held is not None
    for path in (tmp_path / "environments").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    environments.prune(str(tmp_path))
    assert store.find(specification) is not None
    held.close()  # type: ignore[attr-defined]
    for path in (tmp_path / "environments").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    environments.prune(str(tmp_path))
    assert store.find(specification) is None
