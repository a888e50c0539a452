"""Looks for bytes, requests and snapshots that break a daemon: `python -m tests.fuzz`.

A third of the time each: bytes against decoder and dispatcher, led by coverage where atheris is
installed; sequences of requests against a real daemon; snapshots of a runner that answers anything.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import inspect
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from codelocd.client import Client, RpcError
from codelocd.daemon.rights import NEEDED
from codelocd.rpc import messages
from codelocd.rpc.messages import Decoder
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Work
from tests.end_to_end.daemons import Dev, native
from tests.fuzz.targets import decode, dispatch
from tests.fuzz.test_fuzz import VALUES, streams
from tests.supervisor import test_shapes

ENDING = ("shutdown", "upgrade", "subscribe")
"""Methods that are not asked at random: the daemon would end, or talk in between."""
NAMES = ("locations", "location", "kind", "name", "lines", "before", "after", "method", "params")
WORDS: st.SearchStrategy[Any] = VALUES | st.sampled_from(
    ["sales", "one", ["sales"], 7, {"sales": 3}]
)
REQUESTS = st.tuples(
    st.sampled_from(sorted({*NEEDED} - {*ENDING})) | st.text(max_size=5),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), WORDS, max_size=3),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.corpus is not None:
        return led_by_coverage(chosen.seconds, chosen.corpus)
    each = chosen.seconds / 3
    with tempfile.TemporaryDirectory() as folder:
        fuzz_bytes(each, Path(folder))
        fuzz_requests(each, Path(folder))
    fuzz_snapshots(each)
    print("failures: 0")
    return 0


def repeated(test: Callable[..., None], seconds: float, *strategies: Any) -> int:
    """How often the test ran in that time; what it raises ends it all."""
    count, end = 0, time.monotonic() + seconds

    def counted(arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if time.monotonic() < end:
            count += 1
            test(*arguments)

    checks: Any = list(HealthCheck)
    phases = (Phase.generate, Phase.shrink)
    while time.monotonic() < end:
        setting = settings(
            max_examples=500,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=checks,
        )
        setting(given(st.tuples(*strategies))(counted))()
    return count


# --- bytes -------------------------------------------------------------------------------------


def fuzz_bytes(seconds: float, folder: Path) -> None:
    try:
        importlib.import_module("atheris")
    except ImportError:
        print("bytes: atheris is not installed, so coverage leads nowhere; pip install atheris")
        with contextlib.closing(asyncio.new_event_loop()) as loop:

            def one(data: bytes, cut: int) -> None:
                decode(data, cut)
                loop.run_until_complete(dispatch(data, cut))

            found = repeated(one, seconds, streams(), st.integers(0, 60))
        print(f"bytes: {found} executions")
        return
    # libFuzzer ends its process when it is done.
    corpus = folder / "corpus"
    corpus.mkdir()
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--seconds",
        str(seconds),
        "--corpus",
        str(corpus),
    ]
    subprocess.run(command, check=True)


_OWNERS = (Decoder, Peer, Work, messages)
_FOLLOWED = [f for owner in _OWNERS for f in vars(owner).values() if inspect.isfunction(f)]
"""What coverage is measured of."""


def led_by_coverage(seconds: float, corpus: Path) -> int:
    atheris: Any = importlib.import_module("atheris")
    loop = asyncio.new_event_loop()
    for function in _FOLLOWED:
        atheris.instrument_func(function)

    def one(data: bytes) -> None:
        cut = data[0] if data else 0
        decode(data[1:], cut)
        loop.run_until_complete(dispatch(data[1:], cut))

    options = [
        f"-max_total_time={seconds:.0f}",
        "-print_final_stats=1",
        "-max_len=600",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()
    return 0


# --- requests ----------------------------------------------------------------------------------


def fuzz_requests(seconds: float, folder: Path) -> None:
    """Every request is answered, never by a bug, and the location goes on serving."""
    project = folder / "project"
    project.mkdir()
    (project / "sales.py").write_text(native("one"))
    daemon = Dev(project, folder / "home", ("-f", "sales.py"))
    outcomes: Counter[tuple[str, str]] = Counter()
    try:
        daemon.until_serving("sales")

        def ask(requests: list[tuple[str, dict[str, Any]]]) -> None:
            with Client(daemon.socket) as client:
                for method, params in requests:
                    outcomes[
                        method if method in NEEDED else "other", _asked(client, method, params)
                    ] += 1

        repeated(ask, seconds, st.lists(REQUESTS, min_size=1, max_size=10))
        daemon.until_serving("sales")
    finally:
        daemon.stop()
    methods = {method for method, _ in outcomes}
    print(
        f"requests: {outcomes.total()} executions, {len(methods)} methods, {len(outcomes)} outcomes"
    )


def _asked(client: Client, method: str, params: dict[str, Any]) -> str:
    params = {"wait": False, **params} if NEEDED.get(method, 0) == NEEDED["stop"] else params
    if method in ("stop", "restart"):
        params["locations"] = ["no-such"]
    try:
        client.call(method, params, timeout=60)
    except RpcError as error:
        if error.kind != "internal":
            return error.kind
        raise AssertionError(f"{method} {params} meets a bug: {error}") from error
    return "answered"


# --- snapshots ---------------------------------------------------------------------------------


def fuzz_snapshots(seconds: float) -> None:
    test = test_shapes.test_a_runner_that_answers_anything_never_breaks_definitions_status_or_show
    inner = test.hypothesis.inner_test  # type: ignore[attr-defined]  # hypothesis has no types here
    several = (
        st.lists(test_shapes.anything(), max_size=4),
        st.lists(test_shapes.anything(), max_size=2),
    )
    print(f"snapshots: {repeated(inner, seconds, *several)} executions")


if __name__ == "__main__":
    sys.exit(main())
