"""Programs beside runners: `python -m MODULE` from a warm interpreter, forked or not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from codelocd.model import StartMethod
from codelocd.process.child import Child
from codelocd.process.guardian_process import VARIABLE
from codelocd.runners.api import Program, RunnerSpec
from codelocd.runners.bundle import CHILDREN
from codelocd.runners.warm import launcher
from codelocd.runners.warm.interpreter import WarmInterpreter
from codelocd.runners.warm.method import MethodChoice
from codelocd.runners.warm.pool import NOT_READY as NONE_READY
from codelocd.runners.warm.pool import WarmPool
from tests.supervisor.runners.launching import DEADLINE, Bench, telling, until

METHODS = ["fork", "spare"]
NOT_READY = MethodChoice("spawn", NONE_READY)
SURROUNDINGS = Path(__file__).with_name("what_user_code_meets.py").read_text()
ALMOST = (
    "del told['streams']  # a fork's are UTF-8, line by line\n"
    "told['main'] = set(told['main']) - {'__annotations__'}  # runpy leaves an empty one out\n"
    "import json; print(json.dumps(told, default=sorted))\n"
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch) -> None:
    """The next spare is made at once."""
    monkeypatch.setattr(launcher, "QUIET", 0.0)


@dataclass
class Tool:
    """A module `tool` in the working directory of a location, as a program."""

    spec: RunnerSpec
    said: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)

    def program(self, *arguments: str) -> Program:
        return Program(self.spec, "tool", arguments, self.spec.variables, self.heard)

    def heard(self, stream: str, data: bytes) -> None:
        (self.said if stream == "stdout" else self.errors).append(data)

    def cold(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.spec.executable, "-m", "tool", *arguments],
            cwd=self.spec.working_directory,
            env=dict(self.spec.variables),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            timeout=DEADLINE,
        )


async def warm(
    bench: Bench, python: Path, source: str, method: StartMethod = "fork", **changes
) -> Tool:
    """The tool of a location for which a warm interpreter is ready."""
    spec = bench.spec(python, telling("import decimal\ntold = 1"), start_method=method, **changes)
    (spec.working_directory / "tool.py").write_text(source)
    for _ in range(2):
        (await bench.load(spec, method)).runner.kill()
    if method == "spare":
        child, choice = await bench.launcher.program(Tool(spec).program())
        assert choice == NOT_READY, "the first one shows what is needed"
        await ended(child)
        await spare_ready(bench)
    return Tool(spec)


async def spare_ready(bench: Bench) -> WarmPool:
    (pool,) = [pool for pool in bench.pools if pool.module is not None]
    await until(lambda: pool.current() is not None)
    return pool


async def spare_of(bench: Bench) -> WarmInterpreter:
    """The one that is ready."""
    ready = (await spare_ready(bench)).ready
    assert ready is not None
    return ready


async def started(bench: Bench, program: Program, method: StartMethod = "fork") -> Child:
    child, choice = await bench.launcher.program(program)
    assert choice.method == method, choice.why
    return child


async def why_cold(bench: Bench, program: Program) -> str:
    """Why it had no warm start; it ran nevertheless."""
    child, choice = await bench.launcher.program(program)
    assert choice.method == "spawn"
    await ended(child)
    return choice.why


async def ended(child: Child):
    async with asyncio.timeout(DEADLINE):
        return await child.exited


@pytest.mark.parametrize("method", METHODS)
async def test_a_program_finds_around_it_what_python_m_gives_it(bench, python: Path, method):
    tool = await warm(bench, python, SURROUNDINGS + ALMOST, method)
    tool.said.clear()
    done = tool.cold("one", "--two")
    child = await started(bench, tool.program("one", "--two"), method)
    assert (await ended(child)).status == 0, b"".join(tool.errors)
    assert json.loads(b"".join(tool.said)) == json.loads(done.stdout)


ENDS = {
    "its end": "",
    "a status": "import sys; sys.exit(7)",
    "no status": "import sys; sys.exit()",
    "a message": "import sys; sys.exit('no such thing')",
    "an error": "raise RuntimeError('broken')",
    "os._exit": "import os; os._exit(9)",
    "a thread": "import threading, time; threading.Thread(target=print, args=['late']).start()",
    "atexit": "import atexit; atexit.register(print, 'bye')",
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_program_ends_as_python_m_ends(bench, extreme: Path, how: str, method):
    tool = await warm(bench, extreme, ENDS[how], method)
    done = tool.cold()
    child = await started(bench, tool.program(), method)
    assert (await ended(child)).status == done.returncode
    assert b"".join(tool.said).decode() == done.stdout
    assert b"".join(tool.errors).decode().splitlines()[-1:] == done.stderr.splitlines()[-1:]


async def test_a_program_is_a_child_of_the_daemon_and_outlives_its_fork_server(bench, newest):
    tool = await warm(bench, newest, "import time; print('up', flush=True); time.sleep(600)")
    child = await started(bench, tool.program())
    await until(lambda: b"up" in b"".join(tool.said))
    for pool in bench.pools:
        os.kill(pool.ready.pid, signal.SIGKILL)
    await until(lambda: all(pool.current() is None for pool in bench.pools))
    assert psutil.Process(child.pid).ppid() == os.getpid()
    assert os.getsid(child.pid) == child.pid
    os.kill(child.pid, signal.SIGTERM)
    assert (await ended(child)).signal == signal.SIGTERM


async def test_what_a_program_started_ends_when_it_is_killed(bench, newest):
    source = (
        "import subprocess, time\n"
        "print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)\n"
        "time.sleep(600)"
    )
    tool = await warm(bench, newest, source)
    child = await started(bench, tool.program())
    await until(lambda: b"\n" in b"".join(tool.said))
    other = psutil.Process(int(b"".join(tool.said)))
    assert VARIABLE in other.environ()
    child.kill()
    await ended(child)
    await until(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE)
    assert not psutil.pid_exists(child.pid)


async def test_a_program_holds_what_it_is_given_to_hold(bench, newest, tmp_path):
    lease = tmp_path / "lease"
    tool = await warm(bench, newest, "import time; print('up', flush=True); time.sleep(600)")
    with lease.open("w") as file:
        program = tool.program()
        program = replace(program, beside=replace(tool.spec, held=(file.fileno(),)))
        child = await started(bench, program)
        await until(lambda: b"up" in b"".join(tool.said))
    assert str(lease) in {file.path for file in psutil.Process(child.pid).open_files()}
    child.kill()
    await ended(child)


async def test_a_program_finds_no_module_that_is_only_ours(bench, newest):
    tool = await warm(bench, newest, "import codeloc")
    child = await started(bench, tool.program())
    assert (await ended(child)).status == 1
    assert b"No module named 'codeloc'" in b"".join(tool.errors)


async def test_a_program_that_shall_have_codeloc_is_forked_too_and_gives_it_on(
    bench, bundle, newest
):
    code = "import codeloc, subprocess, sys; print(codeloc.__name__, flush=True)\n"
    code += "subprocess.run([sys.executable, '-c', 'import codeloc'], check=True)"
    tool = await warm(bench, newest, code)
    program = replace(tool.program(), codeloc=bundle / CHILDREN)
    child = await started(bench, program)
    assert (await ended(child)).status == 0, b"".join(tool.errors)
    assert b"".join(tool.said) == b"codeloc\n"


async def test_a_program_runs_the_newest_source_whatever_the_bytecode_says(bench, newest):
    tool = await warm(bench, newest, "import part; print(part.value)")
    part = tool.spec.working_directory / "part.py"
    part.write_text("value = 1\n")
    variables = {**tool.spec.variables}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(
        [newest, "-m", "compileall", "-q", part], env=variables, check=True, timeout=DEADLINE
    )
    before = part.stat()
    part.write_text("value = 2\n")
    os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
    child = await started(bench, tool.program())
    await ended(child)
    assert b"".join(tool.said) == b"2\n"


async def test_without_a_warm_interpreter_it_is_refused(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    assert await why_cold(bench, Tool(spec).program()) == NOT_READY.why


async def test_with_variables_that_imports_would_have_seen_it_is_refused(bench, newest):
    tool = await warm(bench, newest, "")
    program = tool.program()
    program = replace(program, variables={**program.variables, "TZ": "Asia/Tokyo"})
    assert await why_cold(bench, program) == NOT_READY.why


async def test_where_its_own_module_stands_before_a_shared_one_it_is_refused(bench, newest):
    tool = await warm(bench, newest, "")
    (tool.spec.working_directory / "decimal.py").write_text("")
    assert "its own decimal stands before the module" in await why_cold(bench, tool.program())


async def test_a_program_of_an_environment_that_has_changed_is_refused_and_no_other_is_tried(
    bench, newest
):
    packages = bench.folder / "site-packages"
    packages.mkdir()
    variables = {**bench.spec(newest, "").variables, "PYTHONPATH": str(packages)}
    tool = await warm(bench, newest, "", variables=variables)
    (packages / "new.py").write_text("")
    assert "has changed since it was preloaded" in await why_cold(bench, tool.program())
    await until(lambda: all(pool.current() is None for pool in bench.pools))
    assert await why_cold(bench, tool.program()) == NOT_READY.why


async def test_a_spare_for_a_program_has_what_its_location_and_the_program_import(bench, newest):
    code = "import sys; print({'decimal', 'fileinput'} <= set(sys.modules))"
    tool = await warm(bench, newest, code, "spare")
    tool.said.clear()
    await ended(await started(bench, tool.program(), "spare"))
    assert b"".join(tool.said) == b"True\n"


async def test_a_spare_for_a_program_is_used_once_and_replaced(bench, newest):
    tool = await warm(bench, newest, "", "spare")
    first = (await spare_of(bench)).pid
    child = await started(bench, tool.program(), "spare")
    assert child.pid == first
    await ended(child)
    assert (await spare_of(bench)).pid != first


async def test_programs_of_locations_that_import_the_same_share_a_spare(bench, newest):
    tool = await warm(bench, newest, "", "spare")
    waiting = (await spare_of(bench)).pid
    other = Tool(replace(tool.spec, location="other"))
    child = await started(bench, other.program(), "spare")
    assert child.pid == waiting


async def test_a_program_with_other_variables_that_imports_see_needs_another_spare(bench, newest):
    tool = await warm(bench, newest, "", "spare")
    waiting = await spare_of(bench)
    program = tool.program()
    program = replace(program, variables={**program.variables, "TZ": "Asia/Tokyo"})
    assert await why_cold(bench, program) == NOT_READY.why
    await until(lambda: not waiting.lives)


async def test_a_spare_that_has_ended_is_none_and_leaves_no_descriptor(bench, newest):
    tool = await warm(bench, newest, "", "spare")
    pool = await spare_ready(bench)
    await until(lambda: all(each.current() is not None for each in bench.pools))  # runners', too
    waiting, before = await spare_of(bench), psutil.Process().num_fds()
    os.kill(waiting.pid, signal.SIGKILL)
    await until(lambda: not waiting.lives)
    assert await why_cold(bench, tool.program()) == NOT_READY.why
    await spare_ready(bench)
    assert pool.ready is not waiting
    await until(lambda: psutil.Process().num_fds() <= before)


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_a_spare_for_a_program_ends_when_its_location_starts_otherwise(bench, newest, method):
    tool = await warm(bench, newest, "", "spare")
    waiting = await spare_of(bench)
    await bench.load(tool.spec, method)
    await until(lambda: not waiting.lives)
    assert not [pool for pool in bench.pools if pool.module is not None]


async def test_a_spare_for_a_program_ends_with_its_last_location(bench, newest):
    tool = await warm(bench, newest, "", "spare")
    waiting = await spare_of(bench)
    bench.launcher.forget(tool.spec.location)
    await until(lambda: not waiting.lives)
    assert not list(bench.pools)


async def test_where_no_location_imports_what_a_program_needs_there_is_no_spare_for_it(
    bench, newest
):
    spec = bench.spec(newest, telling("told = 1"), start_method="spare")
    (spec.working_directory / "tool.py").write_text("")
    await bench.load(spec, "spare")
    assert await why_cold(bench, Tool(spec).program()) == NOT_READY.why
    (pool,) = [pool for pool in bench.pools if pool.module is not None]
    await pool.refresh(0)
    assert pool.ready is None


async def test_an_interpreter_that_is_gone_leaves_no_spare(bench, newest, tmp_path):
    python = tmp_path / "python"
    python.symlink_to(newest)
    tool = await warm(bench, python, "", "spare")
    python.unlink()
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match="python"):  # what it was forked from has changed, too
        await bench.launcher.program(tool.program())
    (pool,) = [pool for pool in bench.pools if pool.module is not None]
    await pool.refresh(0)
    assert pool.ready is None
    await until(lambda: psutil.Process().num_fds() <= before)


LIMITED = """\
import os, resource, sys, time
def held():
    return os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
while "cold" in sys.argv and held() != (7, 123):
    time.sleep(0.01)
print(*held())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="others set no limit from outside")
@pytest.mark.parametrize("method", [*METHODS, "spawn"])
async def test_a_program_is_held_to_the_limits_of_its_location(
    bench: Bench, extreme: Path, method: StartMethod, tmp_path: Path
) -> None:
    """After a warm start before its first line; one that starts on its own soon after that."""
    (group := tmp_path / "group").mkdir()
    if method == "spawn":
        spec = bench.spec(extreme, telling("told = 1"), start_method="spawn")
        (spec.working_directory / "tool.py").write_text(LIMITED)
        tool = Tool(spec)
    else:
        tool = await warm(bench, extreme, LIMITED, method)
    tool.spec = replace(tool.spec, nice=7, open_files=123, group=str(group))
    child = await started(bench, tool.program("cold" if method == "spawn" else ""), method)
    assert (await ended(child)).status == 0, b"".join(tool.errors)
    assert b"".join(tool.said) == b"7 123\n"
    assert (group / "cgroup.procs").read_text() in (str(child.pid), "0"), "0 is who writes it"
