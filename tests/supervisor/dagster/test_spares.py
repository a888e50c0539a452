"""Interpreters that wait to become code servers: who gets which, and when there is none."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import replace

import psutil
import pytest

from codelocd.dagster.servers import Spares

DEADLINE = 60.0
TELLS = (
    "import json, os, sys\n"
    "print(json.dumps([sys.argv, sys.path, os.getcwd(), __name__, __spec__.name,\n"
    "                  sorted(os.environ), os.readlink('/proc/self/fd/0')]))\n"
)


@pytest.fixture
async def spares(children):
    spares = Spares(children, quiet=0)
    yield spares
    spares.close()


async def ready(spares: Spares):
    """The one process that waits, as soon as there is one."""
    async with asyncio.timeout(DEADLINE):
        while not spares._waiting:  # noqa: ASYNC110  it is made by a timer
            await asyncio.sleep(0.005)
    (spare,) = spares._waiting.values()
    return spare.child


async def end(child):
    async with asyncio.timeout(DEADLINE):
        return await child.exited


async def test_there_is_none_at_first_and_one_a_while_after(spares, tool):
    assert spares.become(tool("")) is None
    waiting = await ready(spares)
    program = tool("print('served')")
    child = spares.become(program)
    assert child is waiting
    assert (await end(child)).status == 0
    assert program.output.text == "served\n"


async def test_a_spare_that_is_used_is_replaced(spares, tool):
    spares.become(tool(""))
    first = await ready(spares)
    assert spares.become(tool("")) is first
    await end(first)
    assert (await ready(spares)).pid != first.pid


async def test_a_spare_finds_around_it_what_python_m_gives_it(spares, tool):
    program = tool(TELLS, "api", "grpc")
    spares.become(program)
    await ready(spares)
    child = spares.become(program)
    assert (await end(child)).status == 0
    spec = program.beside
    cold = subprocess.run(
        [spec.executable, "-m", "tool", "api", "grpc"],
        cwd=spec.working_directory,
        env={**program.variables, "CODELOCD_CHILD": "any"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE,
    )
    assert program.output.text == cold.stdout


async def test_locations_of_one_environment_share_a_spare(spares, tool):
    program = tool("")
    other = replace(program, beside=replace(program.beside, location="other"))
    spares.become(program)
    waiting = await ready(spares)
    assert spares.become(other) is waiting


async def test_other_variables_need_another_spare(spares, tool):
    program = tool("")
    spares.become(program)
    former = await ready(spares)
    assert spares.become(replace(program, variables={**program.variables, "REGION": "eu"})) is None
    await end(former)


async def test_what_is_installed_meanwhile_needs_another_spare(spares, tool, tmp_path):
    program = tool("")
    prefix = tmp_path / "env"
    (prefix / "bin").mkdir(parents=True)
    packages = prefix / "lib" / "python3.13" / "site-packages"
    packages.mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(program.beside.executable)
    beside = replace(program.beside, executable=prefix / "bin" / "python")
    program = replace(program, beside=beside)
    spares.become(program)
    former = await ready(spares)
    later = packages.stat().st_mtime_ns + 1
    os.utime(packages, ns=(later, later))
    assert spares.become(program) is None
    await end(former)


async def test_a_spare_that_has_ended_is_none(spares, tool):
    spares.become(tool(""))
    waiting = await ready(spares)
    waiting.kill()
    await end(waiting)
    assert spares.become(tool("")) is None


async def test_a_spare_ends_with_the_last_location_of_its_kind(spares, tool):
    spares.become(tool(""))
    waiting = await ready(spares)
    spares.forget("sales")
    await end(waiting)
    assert not spares._waiting


async def test_an_interpreter_that_is_gone_leaves_no_spare(children, tool, tmp_path):
    spares = Spares(children, quiet=0)
    program = tool("")
    program = replace(program, beside=replace(program.beside, executable=tmp_path / "python"))
    before = psutil.Process().num_fds()
    assert spares.become(program) is None
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0, later.set)
    await later.wait()
    assert not spares._waiting
    assert psutil.Process().num_fds() == before
    spares.close()


def open_pipes():
    """By what they are, not by number: that is soon another's."""
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.lexists(link)}


@pytest.mark.parametrize("late", [False, True])
async def test_a_spare_that_ended_by_itself_leaves_no_pipe_open(spares, tool, late):
    spares.become(tool(""))
    waiting = await ready(spares)
    ((kind, spare),) = spares._waiting.items()
    pipe = os.readlink(f"/proc/self/fd/{spare._pipe}")
    waiting.kill()
    await end(waiting)
    if late:
        spares._make_later(kind)
        while (await ready(spares)) is waiting:  # noqa: ASYNC110  it is made by a timer
            await asyncio.sleep(0)
    else:
        assert spares.become(tool("")) is None
    assert pipe not in open_pipes()
