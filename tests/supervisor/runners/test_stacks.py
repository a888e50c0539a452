"""Where a runner hangs that cannot say so itself: its stacks by a signal, of every version."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from codelocd.process import identity
from codelocd.runners import stacks
from codelocd.runners.stacks import ObservedOutput
from tests.supervisor.runners.launching import Bench, installed, telling, until

HOLDS_THE_LOCK = """\
import threading

waiting = threading.Thread(target=threading.Event().wait, daemon=True)
waiting.start()

def count():
    return print("counting", flush=True), sum(range(10 ** 15))

count()
"""


async def test_promise_5_code_in_c_that_holds_the_lock_is_found_in_every_version(
    bench: Bench, python: Path
) -> None:
    spec = bench.spec(python, HOLDS_THE_LOCK)
    output = ObservedOutput(spec.output)
    runner = await bench.launcher.start(bench.spec(python, HOLDS_THE_LOCK, output=output))
    await until(lambda: "counting\n" in bench.printed)
    found = await output.stacks(runner.pid)
    runner.kill()
    await runner.exited
    main, *others = found.threads
    file = f'File "{spec.target.value}"'
    assert (main["name"], found.note) == ("MainThread", "")
    assert main["stack"] == [f"{file}, line 9, in <module>", f"{file}, line 7, in count"]
    assert [thread["stack"][-1].rpartition(" ")[2] for thread in others] == ["wait"]


async def test_a_process_that_is_stopped_or_does_not_heed_the_signal_is_left_alone(
    bench: Bench, newest: Path
) -> None:
    output = ObservedOutput(bench.spec(newest, "").output)
    runner = await bench.launcher.start(bench.spec(newest, HOLDS_THE_LOCK, output=output))
    await until(lambda: "counting\n" in bench.printed)
    os.kill(runner.pid, signal.SIGSTOP)
    since = identity.began(runner.pid)
    assert since is not None
    await until(lambda: identity.state(runner.pid, since) == "T")
    found = await output.stacks(runner.pid)
    assert (found.threads, "the process is stopped" in found.note) == ((), True)
    runner.kill()
    await runner.exited
    process = await asyncio.create_subprocess_exec("sleep", "600")
    other = await output.stacks(process.pid)
    assert (process.returncode, other.threads) == (None, ())
    assert other.note.startswith("it does not heed the signal for it; by /proc: thread ")
    process.kill()
    await process.wait()
    gone = await output.stacks(process.pid)
    assert gone.threads == ()


async def test_a_fork_prints_its_stacks_and_so_does_the_warm_interpreter(
    bench: Bench, newest: Path, packages: Path
) -> None:
    (packages / "plain.py").write_text("")
    spec = installed(bench, newest, packages, telling("import plain\ntold = 1"))
    await bench.load(spec, "fork")
    output = ObservedOutput(spec.output)
    forked = await bench.load(replace(spec, output=output), "fork")
    assert forked.runner.start_method == "fork"
    found = await stacks.of_runner(forked.runner, output, ask=False)
    assert [thread["name"] for thread in found.threads] == ["MainThread"]
    interpreter = bench.launcher.warm_interpreter("sales")
    assert interpreter is not None
    assert [each["name"] for each in (await interpreter.stacks()).threads] == ["MainThread"]


@pytest.mark.parametrize("heading", ["Thread 0x00007f01", "Thread 0x00007f01 [worker]"])
def test_the_last_thread_of_a_dump_is_the_main_one(heading: str) -> None:
    dump = (
        f"noise\n{heading} (most recent call first):\n"
        '  File "/p/lib.py", line 3 in wait\n  File "/p/lib.py", line 9 in begin\n\n'
        "Current thread 0x00007f02 (most recent call first):\n"
        '  File "/store/codeloc_runner/main.py", line 5 in live\n  File "<frozen x>", line 1 in x\n'
    )
    main, other = stacks.parsed(dump)
    assert (main["name"], main["stack"]) == ("MainThread", [])
    assert other["name"] == heading
    assert other["stack"] == [
        'File "/p/lib.py", line 9, in begin',
        'File "/p/lib.py", line 3, in wait',
    ]
