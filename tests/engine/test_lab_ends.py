"""A lab whose test is killed leaves nothing behind. Needs no Ray."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.end_to_end.daemons import wait_for
from tests.engine.lab import ROOT, no_namespaces
from tests.engine.test_runner_guard import is_running

LAB = """
import subprocess, sys, time
from pathlib import Path
from tests.engine.lab import Lab
with Lab(Path(sys.argv[1])) as lab:
    inside = subprocess.Popen(lab.inside(["sleep", "1000"]), start_new_session=True)
    print(lab.hub, inside.pid, flush=True)
    time.sleep(1000)
"""


@pytest.mark.skipif(no_namespaces() is not None, reason=str(no_namespaces()))
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_lab_that_a_signal_ends_leaves_no_namespace_and_no_process(
    number: signal.Signals,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="codelocd-lab-"))
    words = [sys.executable, "-c", LAB, str(folder)]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as lab:
        assert lab.stdout is not None
        name, pid = lab.stdout.readline().split()
        assert name in namespaces()
        lab.send_signal(number)
    wait_for(lambda: not folder.exists())
    assert not [each for each in namespaces() if each.startswith(name)]
    wait_for(lambda: not is_running(int(pid)))


def namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listed.stdout.splitlines()]
