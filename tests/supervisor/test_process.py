"""Real child processes: their output, their ends, their groups."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from codelocd.model import Exit
from codelocd.process.child import Child, Children
from codelocd.process.guardian import BEAT, Guardian, HolderSettings
from codelocd.process.identity import began
from codelocd.process.pipes import OutputPipes, passages

DEADLINE = 60.0


class Printed:
    """What a child printed, by stream; `closed` says which streams came to their end."""

    def __init__(self) -> None:
        self.text = {"stdout": b"", "stderr": b""}
        self.closed: set[str] = set()
        self.more = asyncio.Event()

    def __call__(self, stream: str, data: bytes) -> None:
        self.text[stream] += data
        if not data:
            self.closed.add(stream)
        self.more.set()

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(DEADLINE):
            while text not in self.text["stdout"]:
                self.more.clear()
                await self.more.wait()


@pytest.fixture
def guardian() -> Iterator[Guardian]:
    guardian = Guardian()
    yield guardian
    guardian.close()


@pytest.fixture
async def children(guardian: Guardian) -> Children:
    return Children(asyncio.get_running_loop(), guardian)


def python(children: Children, code: str, printed: Printed | None = None) -> Child:
    return children.start(
        [sys.executable, "-u", "-c", code],
        variables=os.environ,
        directory=Path("/"),
        output=printed or Printed(),
    )


async def end(child: Child) -> Exit:
    return await asyncio.wait_for(child.exited, DEADLINE)


async def test_an_exit_status_is_reported(children: Children) -> None:
    assert await end(python(children, "raise SystemExit(7)")) == Exit(status=7)


async def test_a_signal_is_reported(children: Children) -> None:
    assert await end(python(children, "import os; os.kill(os.getpid(), 11)")) == Exit(signal=11)


async def test_the_last_bytes_before_an_exit_are_not_lost(children: Children) -> None:
    printed = Printed()
    code = "import os; os.write(1, b'x' * 60000); os.write(2, b'y' * 60000); os._exit(3)"
    await end(python(children, code, printed))
    assert printed.text == {"stdout": b"x" * 60000, "stderr": b"y" * 60000}
    assert printed.closed == {"stdout", "stderr"}


async def test_a_child_leads_a_session_of_its_own(children: Children) -> None:
    printed = Printed()
    child = python(children, "import os; print(os.getsid(0))", printed)
    await end(child)
    assert int(printed.text["stdout"]) == child.pid


@pytest.mark.parametrize(
    ("first", "last"), [("stdout", "stderr"), ("stderr", "stdout")], ids=["crash", "farewell"]
)
async def test_what_is_said_last_on_the_other_stream_comes_after_all_that_was_said_before(
    children: Children, first: str, last: str
) -> None:
    """Far more than one look takes waits in the one pipe when the last line comes in the other."""
    said: list[tuple[str, bytes]] = []
    numbers = {"stdout": 1, "stderr": 2}
    code = (
        f"import os; os.write({numbers[first]}, b'x' * 2_000_000); os.write({numbers[last]}, b'z')"
    )
    child = children.start(
        [sys.executable, "-c", code],
        variables=os.environ,
        directory=Path("/"),
        output=lambda stream, data: said.append((stream, data)),
    )
    await end(child)
    chunks = [each for each in said if each[1]]
    assert [stream for stream, _ in chunks] == [first] * (len(chunks) - 1) + [last]
    assert sum(len(data) for _, data in chunks[:-1]) == 2_000_000


async def test_a_stream_of_short_lines_is_taken_many_at_a_time(children: Children) -> None:
    """One look a line would cost more than what is done with it."""
    sizes: list[int] = []
    code = "import os, time\nfor n in range(3000): os.write(1, b'%07d\\n' % n); time.sleep(0.0001)"
    child = children.start(
        [sys.executable, "-c", code],
        variables=os.environ,
        directory=Path("/"),
        output=lambda _stream, data: sizes.append(len(data)),
    )
    await end(child)
    assert sum(sizes) == 24_000
    assert len(sizes) < 1000


async def test_reading_goes_on_from_a_descriptor_that_was_handed_over() -> None:
    """As by a daemon that began it: what waits in the pipe, and what comes."""
    readers, writers = zip(os.pipe(), os.pipe(), strict=True)
    os.write(writers[0], b"before")
    printed = Printed()
    ways = passages(printed, None, {})
    outputs = OutputPipes(asyncio.get_running_loop(), readers, ways)
    outputs.begin()
    await printed.until(b"before")
    os.write(writers[0], b" after")
    await printed.until(b"before after")
    for writer in writers:
        os.close(writer)
    async with asyncio.timeout(DEADLINE):
        while len(printed.closed) < 2:
            printed.more.clear()
            await printed.more.wait()
    outputs.finish()


async def test_its_group_ends_with_it(children: Children) -> None:
    printed = Printed()
    code = (
        "import subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(p.pid, flush=True)\n"
    )
    await end(python(children, code, printed))
    await gone(int(printed.text["stdout"]))


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace(
    children: Children,
) -> None:
    printed = Printed()
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(600)"
    child = python(children, code, printed)
    await printed.until(b"up")
    await child.end(grace=0.2)
    assert (await end(child)).signal == signal.SIGKILL


async def test_a_stopped_process_ends_too(children: Children) -> None:
    printed = Printed()
    child = python(children, "import time; print('up'); time.sleep(600)", printed)
    await printed.until(b"up")
    os.kill(child.pid, signal.SIGSTOP)
    await child.end(grace=DEADLINE)
    assert (await end(child)).signal == signal.SIGTERM


async def test_exit_statuses_of_other_children_are_left_alone(children: Children) -> None:
    ours = [python(children, f"raise SystemExit({n})") for n in range(10)]
    others = [subprocess.Popen([sys.executable, "-c", f"raise SystemExit({n})"]) for n in range(10)]
    ends = [await end(child) for child in ours]
    assert [each.status for each in ends] == list(range(10))
    assert [await asyncio.to_thread(other.wait) for other in others] == list(range(10))


async def test_a_command_that_does_not_exist_is_an_error_and_leaks_nothing(
    children: Children,
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        children.start(["/no/such/python"], variables={}, directory=Path("/"), output=Printed())
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="a child subreaper exists on Linux only")
async def test_what_a_child_leaves_behind_is_reaped(children: Children) -> None:
    printed = Printed()
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); pid = os.fork()\n"
        "    if pid: print(pid, flush=True); os._exit(0)\n"
        "    time.sleep(0.2); os._exit(0)\n"
        "time.sleep(600)\n"
    )
    child = python(children, code, printed)
    await printed.until(b"\n")
    await gone(int(printed.text["stdout"]))
    child.kill()
    await end(child)


async def test_a_process_that_ends_before_it_is_known_is_adopted_all_the_same(
    children: Children,
) -> None:
    async def ask(_writers: Sequence[int]) -> int:
        command = [sys.executable, "-c", "raise SystemExit(3)"]
        process = subprocess.Popen(command, start_new_session=True)
        process.returncode = 0  # it is not Popen that waits for it
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        await end(python(children, ""))  # the end of one is noticed after those before it
        return process.pid

    child = await children.adopt(children.mark(), ask, Printed())
    assert (await end(child)).status == 3


async def test_the_guardian_kills_the_groups_of_a_daemon_that_was_killed(tmp_path: Path) -> None:
    daemon = subprocess.Popen([sys.executable, "-c", _DAEMON], stdout=subprocess.PIPE, cwd=tmp_path)
    assert daemon.stdout is not None
    runner, grandchild, guardian = map(int, daemon.stdout.readline().split())
    daemon.kill()
    daemon.wait()
    for pid in (runner, grandchild, guardian):
        await gone(pid)
    daemon.stdout.close()


async def test_the_guardian_does_so_when_the_daemon_had_not_read_its_last_answer() -> None:
    """The kernel tells it of an error then, in place of the end (ECONNRESET)."""
    heard = "guardian.beat(1e9); import select; select.select([guardian._channel], [], []); print("
    code = _DAEMON.replace("    print(child", f"    {heard}child")
    assert code != _DAEMON
    daemon = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    pids = [*map(int, daemon.stdout.readline().split())]
    daemon.kill()
    daemon.wait()
    for pid in pids:
        await gone(pid)
    daemon.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="who descends from whom is read from /proc")
async def test_the_guardian_kills_what_left_the_groups_of_a_daemon_that_was_killed() -> None:
    code = _DAEMON.replace("['sleep', '600']", "['sleep', '600'], start_new_session=True")
    assert code != _DAEMON
    daemon = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    runner, stray, guardian = map(int, daemon.stdout.readline().split())
    assert os.getsid(stray) == stray
    daemon.kill()
    daemon.wait()
    for pid in (runner, stray, guardian):
        await gone(pid)
    daemon.stdout.close()


@pytest.mark.parametrize("taken_back", [False, True])
async def test_the_guardian_of_a_process_that_was_killed_does_what_that_has_left_it(
    tmp_path: Path, taken_back: bool
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    order = {
        "command": [sys.executable, "-c", "import os; open('done', 'w').write(os.environ['WORD'])"],
        "variables": {"WORD": "told"},
        "directory": str(tmp_path),
        "folder": str(own),
    }
    (own / "order").write_text(json.dumps(order))
    left = f"guardian.when_killed(Path({str(own / 'order')!r}))"
    if taken_back:
        left += "; guardian.when_killed(None)"
    code = _DAEMON.replace("    print(child", f"    {left}; print(child")
    assert code != _DAEMON
    daemon = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    pids = [*map(int, daemon.stdout.readline().split())]
    daemon.kill()
    daemon.wait()
    for pid in pids:
        await gone(pid)
    daemon.stdout.close()
    assert own.exists() == taken_back
    assert [each.read_text() for each in tmp_path.glob("done")] == ["told"] * (not taken_back)


async def test_a_guardian_that_was_killed_is_replaced_with_all_it_knew(
    guardian: Guardian, children: Children
) -> None:
    first = python(children, "import time; time.sleep(600)")
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    await asyncio.to_thread(psutil.Process(guardian.pid).wait, DEADLINE)
    python(children, "import time; time.sleep(600)").kill()
    guardian.close()
    assert (await end(first)).signal == signal.SIGKILL


async def test_a_guardian_that_is_killed_is_replaced_at_once(
    guardian: Guardian, children: Children
) -> None:
    python(children, "import time; time.sleep(600)")
    former = guardian.pid
    assert former is not None
    os.kill(former, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE):
        while guardian.pid in (None, former):  # noqa: ASYNC110  nothing tells the test
            await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="its parent's end is a signal on Linux only")
async def test_a_guardian_that_is_stopped_still_ends_what_a_killed_daemon_left() -> None:
    daemon = subprocess.Popen([sys.executable, "-c", _DAEMON], stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    runner, grandchild, guardian = map(int, daemon.stdout.readline().split())
    async with asyncio.timeout(DEADLINE):
        while not ignores(guardian, signal.SIGTERM):  # noqa: ASYNC110  it tells nobody it is ready
            await asyncio.sleep(0.01)
    os.kill(daemon.pid, signal.SIGSTOP)  # it shall not notice
    os.kill(guardian, signal.SIGSTOP)
    daemon.kill()
    daemon.wait()
    for pid in (runner, grandchild, guardian):
        await gone(pid)
    daemon.stdout.close()


async def test_a_guardian_that_is_stopped_goes_on_at_once(
    guardian: Guardian, children: Children
) -> None:
    python(children, "import time; time.sleep(600)")
    assert guardian.pid is not None
    stopped = psutil.Process(guardian.pid)
    os.kill(guardian.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, guardian.pid, os.WSTOPPED | os.WNOWAIT)  # noqa: ASYNC222  before the loop
    async with asyncio.timeout(DEADLINE):
        while stopped.status() == psutil.STATUS_STOPPED:  # noqa: ASYNC110  nothing tells the test
            await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="who descends from whom is read from /proc")
async def test_what_left_a_group_without_a_mark_ends_with_the_child_that_is_ended(
    children: Children,
) -> None:
    printed = Printed()
    child = python(
        children,
        "import subprocess, time\n"
        "stray = subprocess.Popen(['/bin/sleep', '600'], env={}, start_new_session=True)\n"
        "print(stray.pid, flush=True)\ntime.sleep(600)",
        printed,
    )
    await printed.until(b"\n")
    await child.end(grace=DEADLINE)
    await gone(int(printed.text["stdout"]))


@pytest.mark.skipif(sys.platform != "linux", reason="who descends from whom is read from /proc")
async def test_whoever_lost_mark_and_parent_ends_with_the_daemon(children: Children) -> None:
    printed = Printed()
    twice = (
        "import subprocess, sys\n"
        "sleeps = subprocess.Popen(['/bin/sleep', '600'], env={}, start_new_session=True)\n"
        "print(sleeps.pid, flush=True)"
    )
    python(
        children,
        f"import os, sys\nos.execve(sys.executable, [sys.executable, '-c', {twice!r}], {{}})",
        printed,
    )
    await printed.until(b"\n")
    await children.settled()
    await gone(int(printed.text["stdout"]))


def ignores(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    return bool(ignored >> (number - 1) & 1)


async def gone(pid: int) -> None:
    """Waits until no process has that number."""
    async with asyncio.timeout(DEADLINE):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], 0.05)


_DAEMON = """
import asyncio, os, sys
from pathlib import Path
from codelocd.process.guardian import Guardian
from codelocd.process.pipes import OutputPipes
from codelocd.process.child import Children

async def main():
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    told = asyncio.get_running_loop().create_future()
    def output(stream, data):
        if data and not told.done():
            told.set_result(data.decode())
    code = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    command = [sys.executable, "-c", code + "; time.sleep(600)"]
    child = children.start(command, variables=os.environ, directory=Path("/"), output=output)
    print(child.pid, (await told).strip(), guardian.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_guardian_that_gives_no_sign_of_life_is_replaced(guardian: Guardian) -> None:
    guardian.watch(2**22 + 1)  # beyond the largest pid: nobody's group
    first, now = guardian.pid, time.monotonic()
    assert first is not None
    guardian.beat(now)
    assert guardian._channel is not None
    assert select.select([guardian._channel], [], [], DEADLINE)[0]
    guardian.beat(now + BEAT)
    assert guardian.pid == first
    os.kill(first, signal.SIGSTOP)
    for beats in range(2, 5):  # the last sign of life may have been on its way
        guardian.beat(now + beats * BEAT)
    assert guardian.pid != first


@pytest.mark.skipif(sys.platform != "linux", reason="only there what serves outlives a daemon")
async def test_the_holder_makes_its_socket_again_that_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "run" / "holder.sock"
    path.parent.mkdir()
    guardian = Guardian(HolderSettings(path, tmp_path, 60.0, "kin-"))
    guardian.take_charge()
    holder, now = guardian.pid, time.monotonic()
    async with asyncio.timeout(DEADLINE):
        while not path.exists():  # noqa: ASYNC110  no event tells a test
            await asyncio.sleep(0.01)
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        guardian.beat(now)
        while not path.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert guardian.pid == holder
    guardian.close()


async def test_a_shortage_of_descriptors_leaks_none(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, made, pipe = len(os.listdir("/proc/self/fd")), [0], os.pipe

    def scarce() -> tuple[int, int]:
        made[0] += 1
        if made[0] == 2:
            raise OSError(24, "Too many open files")
        return pipe()

    monkeypatch.setattr(os, "pipe", scarce)
    with pytest.raises(OSError, match="Too many"):
        python(children, "pass")
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_child_is_known_even_if_no_guardian_can_be_started(
    children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(_guardian: Guardian, _reading: int) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(Guardian, "_start", unable)
    assert await end(python(children, "raise SystemExit(7)")) == Exit(status=7)


async def test_a_guardian_that_stands_still_does_not_hold_up_the_daemon(
    guardian: Guardian,
) -> None:
    guardian.watch(2**22 + 1)  # beyond the largest pid: the group of no process
    first = guardian.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    for _ in range(10_000):
        guardian.watch(2**22 + 1)
    assert guardian.pid != first


@pytest.mark.skipif(sys.platform != "linux", reason="only there what serves outlives a daemon")
async def test_a_holder_that_is_killed_as_the_daemon_ends_keeps_nothing(tmp_path: Path) -> None:
    guardian = Guardian(HolderSettings(tmp_path / "holder.sock", tmp_path, 600.0, "kin-"))
    guardian.take_charge()
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as held:
        guardian.hold(
            held.pid, {"pid": held.pid, "began": began(held.pid), "mark": "m", "words": 1}
        )
        assert guardian.pid is not None
        os.kill(guardian.pid, signal.SIGKILL)
        os.waitid(os.P_PID, guardian.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  at once
        await asyncio.wait_for(asyncio.to_thread(guardian.close), DEADLINE)
        assert held.wait(DEADLINE) == -signal.SIGKILL
    guardian.release(held.pid)
    assert guardian.pid is None


async def test_whoever_still_fills_the_pipe_of_a_dead_child_does_not_hold_up_the_daemon(
    children: Children,
) -> None:
    code = "import subprocess; subprocess.Popen(['setsid', 'yes']); input()"
    printed = Printed()
    child = python(children, code.replace("input()", "__import__('time').sleep(600)"), printed)
    await printed.until(b"y")
    child.kill()
    assert (await end(child)).signal == signal.SIGKILL
    await children.settled()


@pytest.mark.skipif(sys.platform != "linux", reason="who descends from whom is read from /proc")
async def test_what_left_the_group_of_a_child_ends_with_the_child(children: Children) -> None:
    printed = Printed()
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: print(os.getpid(), 'up')\n"
        "    else: os._exit(0)\n"
        "time.sleep(600)\n"
    )
    child = python(children, code, printed)
    await printed.until(b"up")
    stray = int(printed.text["stdout"].split()[0])
    child.kill()
    await end(child)
    await children.settled()
    await gone(stray)


async def test_output_that_takes_long_to_deal_with_is_taken_in_smaller_pieces(
    children: Children,
) -> None:
    small = asyncio.Event()

    def slow(_stream: str, data: bytes) -> None:
        if data:
            if len(data) == 4096:
                small.set()
            began = time.thread_time()
            while time.thread_time() - began < 0.02:
                pass

    child = children.start(
        [sys.executable, "-c", "import os\nwhile True: os.write(1, bytes(65536))"],
        variables=os.environ,
        directory=Path("/"),
        output=slow,
    )
    await asyncio.wait_for(small.wait(), DEADLINE)
    child.kill()
    await end(child)


async def test_a_number_that_may_be_anothers_by_now_is_not_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, process_group=0) as other:
        exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        exited.set_result(Exit(status=0))
        Child(other.pid, "", exited).kill()
        other.communicate(b"\n")
    assert other.returncode == 0
