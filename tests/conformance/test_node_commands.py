"""`codelocd exec` for a location on a node: its output, its input, its signals, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from codelocd.client import Client, RpcError
from tests.conformance.engines import Loopback, Place
from tests.end_to_end.daemons import CODELOCD, native, wait_for

WAITS = """
import os, pathlib, signal, sys, time
def leave(number, _frame):
    print("got", number, flush=True)
    sys.exit(5)
signal.signal(signal.SIGINT, leave)
print("ready", os.getpid(), flush=True)
time.sleep(100)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A daemon with `a` on a node and `b` beside itself, for all tests here."""
    home = tmp_path_factory.mktemp("home")
    with tempfile.TemporaryDirectory(prefix="loop-", ignore_cleanup_errors=True) as folder:
        loopback = Loopback(Path(folder), "one")
        found = Place(tmp_path_factory.mktemp("project"), home, loopback.setting())
        found.write("a", native("orders"))
        found.write("b", native("customers"))
        found.config("a")
        with (found.project / "codelocd.toml").open("a") as config:
            config.write('[location.b]\npython_file = "b.py"\n')
        found.start().until_serving("a", "b")
        yield found
        found.end()
        loopback.close()


def begun(place: Place, code: str = WAITS) -> tuple[subprocess.Popen[str], int]:
    """A client of a command on a node that runs there, and the command's pid."""
    words = [str(CODELOCD), "exec", "a", "--", "python", "-c", code]
    client = subprocess.Popen(
        words,
        cwd=place.project,
        env=place.started[-1].environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert client.stdout is not None
    _, pid = client.stdout.readline().split()
    return client, int(pid)


def test_what_is_interrupted_ends_as_the_command_wants(place: Place) -> None:
    client, _ = begun(place)
    client.send_signal(signal.SIGINT)
    said, _ = client.communicate()
    assert (said, client.returncode) == ("got 2\n", 5)


def test_a_command_that_a_signal_ended_has_the_status_of_a_shell(place: Place) -> None:
    client, pid = begun(place)
    os.kill(pid, signal.SIGKILL)
    assert client.wait() == 128 + signal.SIGKILL
    client.communicate()


def test_the_end_of_its_client_is_the_end_of_a_command(place: Place) -> None:
    client, pid = begun(place)
    client.kill()
    client.communicate()
    wait_for(lambda: not psutil.pid_exists(pid))


def test_a_command_that_heeds_nothing_is_killed_at_the_third_signal(place: Place) -> None:
    deaf = WAITS.replace("leave)", "signal.SIG_IGN)")
    client, pid = begun(place, deaf)
    while client.poll() is None:
        client.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(0.1)
    client.communicate()
    assert client.returncode in (130, -signal.SIGINT)  # one more may come as it ends
    wait_for(lambda: not psutil.pid_exists(pid))


def test_much_is_passed_on_to_the_last_byte_both_ways(place: Place) -> None:
    code = "import sys; [sys.stdout.write(line * 3) for line in sys.stdin]"
    lines = "".join(f"line {number}\n" for number in range(100_000))
    done = place.codelocd("exec", "a", "--", "python", "-c", code, given=lines)
    expected = "".join(f"line {number}\n" * 3 for number in range(100_000))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected


def test_a_reader_that_goes_away_ends_the_command(place: Place) -> None:
    loud = "import itertools\nfor each in itertools.count(): print(each, flush=True)"
    words = [str(CODELOCD), "exec", "a", "--", "python", "-c", loud]
    env = place.started[-1].environ
    with subprocess.Popen(words, cwd=place.project, env=env, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"0\n"
        client.stdout.close()
        assert client.wait() in (0, 141)
    wait_for(lambda: not any(loud in each.cmdline() for each in _readable()))


def _readable() -> Iterator[psutil.Process]:
    for each in psutil.process_iter():
        try:
            each.cmdline()
        except psutil.Error:
            continue
        yield each


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"location": "a", "words": []}, "words is missing"),
        ({"location": "b", "words": ["python"]}, "'b' runs on the daemon's machine"),
        ({"location": "none", "words": ["python"]}, "there is no location 'none'"),
        ({"location": "a", "words": ["no-such-program"]}, "no-such-program"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    place: Place, asked: dict[str, object], told: str
) -> None:
    with place.started[-1].client() as client, pytest.raises(RpcError, match=told) as refused:
        client.call("exec", asked)
    assert "\n" not in refused.value.message


def test_input_and_signals_without_a_command_are_refused(place: Place) -> None:
    with place.started[-1].client() as client:
        _refused(client, "exec_input", {"data": b"x"}, "no command runs for this connection")
        _refused(client, "exec_signal", {"number": 2}, "no command runs for this connection")
        _refused(client, "exec_input", {"data": "text"}, "data must be bytes")
        _refused(client, "exec_signal", {"number": 1000}, "there is no signal 1000")


def _refused(client: Client, method: str, params: dict[str, object], told: str) -> None:
    with pytest.raises(RpcError, match=told):
        client.call(method, params)
