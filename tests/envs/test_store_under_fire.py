"""Builders, users and collectors that are killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import Store
from codeloc_envs.store.lease import hold

KILLS = 10
SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
"""How long the slow one takes; for `make soak` that is a minute."""
USER = """
import os, random, subprocess, sys
from pathlib import Path
from codeloc_envs import EnvironmentProblem, Request, Store, choose

store = Store(Path(sys.argv[1]))
while True:
    packages = random.choice([(), ("alpha",), ("alpha", "beta")])
    wanted = choose(Request(packages=packages), code=Path(sys.argv[2])).specification
    try:
        environment = store.find(wanted) or store.build(wanted, lambda _: None)
        lease = store.lease(environment)
    except EnvironmentProblem as problem:
        if "was removed" not in problem.summary:
            print("problem", problem.summary, problem.detail.replace(chr(10), " "), flush=True)
        continue
    with lease:
        code = "".join(f"import {name};" for name in packages)
        ended = subprocess.run([environment.executable, "-B", "-c", code], stderr=-1)
        word = "whole" if ended.returncode == 0 else f"broken {ended.stderr}"
        os.write(1, f"{word}\\n".encode())  # at once: others write there too
"""
COLLECTOR = """
import sys
from pathlib import Path
from codeloc_envs import Store

while True:
    Store(Path(sys.argv[1])).prune(idle=0)
"""


@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.parametrize("seconds", [0, pytest.param(SECONDS, marks=pytest.mark.slow)])
def test_nobody_ever_gets_an_environment_that_is_not_whole(
    store: Store, store_root: Path, workplace: Path, wheel: Callable[..., Path], seconds: float
) -> None:
    """`seconds`: how long at least; it is not over before KILLS kills."""
    wheel("alpha")
    wheel("beta")
    reading, writing = os.pipe()

    def start(program: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", program, store_root, workplace],
            stdout=writing,
            start_new_session=True,
        )

    running = [(program, start(program)) for program in (USER, USER, USER, COLLECTOR)]
    heard = []
    ends = time.monotonic() + seconds
    try:
        with os.fdopen(reading) as output:
            for line in output:
                heard.append(line.strip())
                if len(heard) > KILLS and time.monotonic() > ends:
                    break
                number = random.randrange(len(running))
                program, victim = running[number]
                end(victim)
                running[number] = (program, start(program))
    finally:
        for _, process in running:
            end(process)
        os.close(writing)
    assert set(heard) == {"whole"}
    for lease in (store_root / "leases").iterdir():
        hold(lease).close()
    store.prune(idle=0)
    for folder in ("environments", "leases", "trash"):
        assert list((store_root / folder).iterdir()) == []


def end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
