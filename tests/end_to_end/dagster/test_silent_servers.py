"""Code servers that live and do not answer, under a daemon with less patience than usual."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.end_to_end import daemons

IMPATIENT = """#!{python}
import sys
from codelocd.cli import main
from codelocd.dagster import code_server, launcher

assert launcher.PING_POLICY is code_server.PING_POLICY and code_server.GRACE > 0.5  # what is used
code_server.GRACE = 0.5
launcher.PING_POLICY = code_server.PingPolicy(interval=0.2, answer=1.0, misses=2)
sys.exit(main())
"""
SOURCE = """
import ctypes, os, signal
import dagster as dg

def hang(*_):
    ctypes.PyDLL(None).pause()  # holds the interpreter's lock: no thread runs any more

signal.signal(signal.SIGUSR1, hang)

@dg.asset
def one(): ...

defs = dg.Definitions(assets=[one])
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """`codelocd`, but what takes minutes with it takes seconds."""
    command = tmp_path / "impatient" / "codelocd"
    command.parent.mkdir()
    command.write_text(IMPATIENT.format(python=sys.executable))
    command.chmod(0o700)
    monkeypatch.setattr(daemons, "CODELOCD", command)
    return command


def test_a_daemon_with_less_patience_is_the_same_command(impatient):
    done = subprocess.run([impatient, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("codelocd ")


@pytest.mark.slow
@pytest.mark.parametrize("silencer", [signal.SIGSTOP, signal.SIGUSR1], ids=["stopped", "hangs"])
def test_a_code_server_that_is_silent_is_replaced_and_ended_by_itself(
    project, declare, impatient, page, silencer
):
    declare(shop="newest")
    (project / "shop.py").write_text(SOURCE)
    shown = page("shop")
    runner, server = shown.dev.entry("shop")["pid"], shown.about()["servers"]["shop"]
    silent = psutil.Process(server)
    os.kill(server, silencer)
    shown.dev.until_printed("Dagster's code server no longer answers; another one takes its place")
    shown.until(lambda: shown.about()["servers"]["shop"] != server)
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"one"})
    assert shown.dev.entry("shop")["pid"] == runner
    shown.until(lambda: not silent.is_running() or silent.status() == psutil.STATUS_ZOMBIE)
