"""Dagster's databases are made by one process, before any server needs them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from codelocd.dagster.instance import Instance

MAKES = """#!/bin/sh
echo "$@" >> {calls}
{does}
"""
DATABASES = 'mkdir "$DAGSTER_HOME/history"'


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def home(path, children):
    return Instance(path, children)


@pytest.fixture
def maker(spec, tmp_path):
    """`maker(does)`: a location whose interpreter does this, and the file with its calls."""

    def maker(does: str):
        calls, python = tmp_path / "calls", tmp_path / "python"
        calls.touch()
        python.write_text(MAKES.format(calls=calls, does=does))
        python.chmod(0o755)
        return replace(spec, executable=python), calls

    return maker


async def test_a_new_home_is_made_once_however_many_servers_start(home, path, maker):
    spec, calls = maker(DATABASES)
    await asyncio.gather(*(home.opened(spec) for _ in range(5)))
    assert calls.read_text() == "-m dagster instance info\n"
    assert (path / "history").is_dir()


async def test_a_home_whose_databases_are_elsewhere_is_opened_once(home, path, maker):
    spec, calls = maker("")
    await home.opened(spec)
    await home.opened(spec)
    assert calls.read_text() == "-m dagster instance info\n"
    assert not list(path.iterdir())


async def test_a_home_that_was_used_is_left_alone(home, path, maker):
    spec, calls = maker(DATABASES)
    (path / "storage").mkdir()
    await home.opened(spec)
    assert calls.read_text() == ""


async def test_a_home_that_is_only_configured_is_new(home, path, maker):
    spec, calls = maker(DATABASES)
    (path / "dagster.yaml").touch()
    await home.opened(spec)
    assert calls.read_text() != ""


async def test_a_failure_is_left_for_the_servers_to_tell(home, maker):
    spec, calls = maker("exit 1")
    await home.opened(spec)
    assert calls.read_text() != ""


async def test_a_location_with_a_home_of_its_own_needs_none(home, maker):
    spec, calls = maker(DATABASES)
    await home.opened(replace(spec, variables={**spec.variables, "DAGSTER_HOME": "/own"}))
    assert calls.read_text() == ""
