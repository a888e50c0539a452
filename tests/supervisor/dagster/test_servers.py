"""In which way a code server comes to be."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from codelocd.dagster.code_server import arguments
from codelocd.dagster.instance import Instance
from codelocd.dagster.supervision import Servers
from codelocd.dagster.workspace import Sockets
from codelocd.model import Cold, Target
from codelocd.runners.warm.method import MethodChoice

DEADLINE = 60.0
CHOICE = MethodChoice("fork", "so it was chosen")


class FakeLauncher:
    """Starts what does nothing, and says that it was forked."""

    def __init__(self, children) -> None:
        self._children = children
        self.programs: list[Any] = []
        self.suspected: list[Any] = []

    async def program(self, program):
        self.programs.append(program)
        child = self._children.start(
            ["echo", "no such module"],
            variables=program.variables,
            directory=program.beside.working_directory,
            output=program.output,
        )
        return child, CHOICE

    def suspect(self, spec, what):
        self.suspected.append((spec, what))


class Unlimited:
    """Holds servers to no limits."""

    def told(self, spec):
        return spec

    def discard(self, spec):
        return

    def begin(self, server):
        return


@pytest.fixture
def home(tmp_path):
    """One that has been used."""
    home = tmp_path / "home"
    (home / "history").mkdir(parents=True)
    return home


@pytest.fixture
async def launcher(children):
    return FakeLauncher(children)


@pytest.fixture
async def servers(launcher, children, tmp_path, home):
    return Servers(
        launcher, Sockets(tmp_path), Instance(home, children), Unlimited(), tmp_path / "codeloc"
    )


async def ended(server):
    async with asyncio.timeout(DEADLINE):
        await server.exited


async def test_it_is_dagsters_command_line_beside_the_runner(servers, launcher, spec, home):
    server = await servers.start(spec)
    await ended(server)
    assert server.choice == CHOICE
    assert server.executable == spec.executable
    assert server.last_lines == "no such module\n"
    (program,) = launcher.programs
    assert program.module == "dagster"
    assert program.beside == spec
    assert program.arguments == arguments(spec, server.path)
    assert program.variables == {**spec.variables, "DAGSTER_HOME": str(home)}
    assert program.codeloc == home.parent / "codeloc"


async def test_what_its_runner_must_not_have_it_must_not_either(servers, launcher, spec):
    cold = Cold("it crashed")
    await ended(await servers.start(replace(spec, cold=cold)))
    assert launcher.programs[0].beside.cold == cold


async def test_a_suspicion_is_one_of_its_location(servers, launcher, spec):
    servers.suspect(spec, Cold("it hung", "sales: it hung"))
    assert launcher.suspected == [(spec, "sales: it hung")]


async def test_a_home_that_is_configured_for_a_location_counts(servers, launcher, spec):
    own = {**spec.variables, "DAGSTER_HOME": "/own"}
    await ended(await servers.start(replace(spec, variables=own)))
    assert launcher.programs[0].variables["DAGSTER_HOME"] == "/own"


def test_the_command_line_is_dagsters_stable_one(spec, tmp_path):
    module = replace(spec, target=Target("module", "shop.defs"), attribute=None)
    assert arguments(module, tmp_path / "s") == (
        *("api", "grpc", "--socket", str(tmp_path / "s"), "--use-python-environment-entry-point"),
        *("--working-directory", str(spec.working_directory), "--log-level", "warning"),
        *("--module-name", "shop.defs"),
    )
    assert arguments(spec, tmp_path / "s")[-4:] == (
        *("--python-file", spec.target.value, "--attribute", "defs"),
    )
