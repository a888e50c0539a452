"""Paths of code servers, and the links that Dagster knows."""

from __future__ import annotations

import os
import shutil

import pytest

from codelocd.dagster.workspace import LONGEST, Sockets


@pytest.fixture
def sockets(tmp_path):
    runtime = tmp_path / "r"
    found = Sockets(runtime)
    yield found
    shutil.rmtree(found.folder, ignore_errors=True)


def test_every_server_has_a_path_of_its_own_that_any_program_can_connect_to(sockets):
    paths = {sockets.new() for _ in range(3)}
    assert len(paths) == 3
    assert all(len(os.fsencode(path)) <= LONGEST for path in paths)


def test_a_link_never_changes_its_path_and_leads_to_the_newest_server(sockets):
    link = sockets.link("a b é")
    for _ in range(2):
        server = sockets.new()
        server.touch()
        sockets.lead("a b é", server)
        assert link.is_symlink()
        assert link.resolve() == server.resolve()
    assert sockets.link("other") != link


def test_a_location_that_is_gone_has_no_link(sockets):
    sockets.lead("shop", sockets.new())
    sockets.forget("shop")
    assert not sockets.link("shop").is_symlink()


def test_a_path_that_is_too_long_moves_to_a_folder_of_the_users_own(tmp_path):
    runtime = tmp_path / ("long" * 30)
    first, second = Sockets(runtime), Sockets(runtime)
    assert first.folder == second.folder
    assert len(os.fsencode(first.new())) <= LONGEST
    assert first.folder.stat().st_mode & 0o777 == 0o700
    first.folder.rmdir()


def test_a_folder_that_others_can_use_is_refused(tmp_path):
    runtime = tmp_path / ("long" * 30)
    folder = Sockets(runtime).folder
    folder.chmod(0o777)
    with pytest.raises(PermissionError, match="remove it"):
        Sockets(runtime)
    folder.rmdir()


def test_the_folder_goes_with_the_last_server(sockets):
    for name in ("sales", "news"):
        server = sockets.new()
        server.touch()
        sockets.lead(name, server)
    server.unlink()
    sockets.close()
    assert sockets.link("sales").exists()
    assert not sockets.link("news").is_symlink()
    sockets.link("sales").resolve().unlink()
    sockets.close()
    assert not sockets.folder.exists()
    sockets.close()
