"""In which way a code server comes to be."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from codelocd.dagster.code_server import arguments
from codelocd.dagster.instance import Instance
from codelocd.dagster.servers import Servers
from codelocd.dagster.workspace import Sockets
from codelocd.model import Cold, Target
from codelocd.runners.warm.interpreter import Refused
from codelocd.runners.warm.method import MethodChoice

DEADLINE = 60.0


class FakeWarm:
    """Chooses what it is told; forks by starting what is not a fork."""

    def __init__(self, children, method: str) -> None:
        self._children = children
        self._choice = MethodChoice(method, "so it was chosen")
        self.refusal: Refused | None = None
        self.forked = []

    def choice(self, spec):
        return self._choice if spec.cold is None else MethodChoice("spawn", spec.cold.why)

    async def program(self, program):
        if self.refusal is not None:
            raise self.refusal
        self.forked.append(program)
        return self._children.start(
            ["true"],
            variables=program.variables,
            directory=program.beside.working_directory,
            output=program.output,
        )


@pytest.fixture
def home(tmp_path):
    """One that has been used."""
    home = tmp_path / "home"
    (home / "history").mkdir(parents=True)
    return home


@pytest.fixture
async def start(children, spec, tmp_path, home):
    """`start(method, ...)`: what comes of one start where that method was chosen."""
    everything = []

    async def start(method, distrusted="", refusal=None):
        warm = FakeWarm(children, method)
        warm.refusal = refusal
        servers = Servers(children, warm, Sockets(tmp_path), Instance(home, children))
        everything.append(servers)
        cold = Cold(distrusted) if distrusted else None
        server = await servers.start(replace(spec, cold=cold))
        async with asyncio.timeout(DEADLINE):
            await server.exited
        return server, warm

    yield start
    for servers in everything:
        servers.close()


async def test_it_is_forked_where_its_runner_would_be(start, spec, home):
    server, warm = await start("fork")
    assert server.choice == MethodChoice("fork", "so it was chosen")
    (program,) = warm.forked
    assert program.module == "dagster"
    assert program.arguments == arguments(spec, server.path)
    assert program.variables == {**spec.variables, "DAGSTER_HOME": str(home)}


async def test_it_starts_on_its_own_where_a_fork_is_refused(start):
    server, _ = await start("fork", refusal=Refused("it cannot fork", stale=False))
    assert server.choice == MethodChoice("spawn", "it cannot fork")
    assert "No module named dagster" in server.last_lines


async def test_it_starts_on_its_own_where_no_spare_is_ready(start):
    server, warm = await start("spare")
    assert server.choice == MethodChoice("spawn", "no spare was ready")
    assert not warm.forked


async def test_spawn_is_taken_at_its_word_for_servers_too(start):
    server, warm = await start("spawn")
    assert server.choice == MethodChoice("spawn", "so it was chosen")
    assert not warm.forked


async def test_what_is_distrusted_is_not_forked(start):
    server, warm = await start("fork", distrusted="it crashed")
    assert server.choice == MethodChoice("spawn", "it crashed")
    assert not warm.forked


async def test_a_home_that_is_configured_for_a_location_counts(children, spec, tmp_path, home):
    warm = FakeWarm(children, "fork")
    servers = Servers(children, warm, Sockets(tmp_path), Instance(home, children))
    own = {**spec.variables, "DAGSTER_HOME": "/own"}
    await (await servers.start(replace(spec, variables=own))).exited
    assert warm.forked[0].variables["DAGSTER_HOME"] == "/own"


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
