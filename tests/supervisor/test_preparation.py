"""How the environments of many locations are chosen, in a daemon in the test's own process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import codeloc_envs
from codeloc_envs import Choice, Specification
from codeloc_envs.request import EnvironmentKind
from codelocd.daemon import preparation
from codelocd.daemon.application import Application
from codelocd.daemon.preparation import SharedLooks
from codelocd.model import Config, LocationSpec, Phase, Policy, Target
from codelocd.runners import environments
from codelocd.storage.paths import DaemonPaths

CACHE = Path(__file__).parents[2] / ".cache" / "tests" / "codelocd"
GOOD = "from codeloc import Definitions\ndefs = Definitions()\n"


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    paths = DaemonPaths("test", tmp_path / "control.sock", tmp_path, CACHE, tmp_path / "run")
    application = Application(Config(()), paths, lambda _: None, development=False)
    yield application
    await application.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """With two files that may be locations."""
    (tmp_path / "project").mkdir()
    for name in ("one", "two"):
        (tmp_path / "project" / f"{name}.py").write_text(GOOD)
    return tmp_path / "project"


async def serve(application: Application, project: Path, *names: str) -> None:
    policy = Policy(restart="never")
    specs = tuple(
        LocationSpec(
            name, Target("python_file", str(project / f"{name}.py")), project, "test", policy=policy
        )
        for name in names
    )
    application.apply(Config(specs))
    for name in names:
        location = application.locations[name]
        await asyncio.wait_for(location.settled(), 60)
        assert location.state.phase is Phase.SERVING, location.state.problem


async def test_of_a_kind_that_is_known_one_choice_is_enough(
    application: Application, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, choose = list[str](), codeloc_envs.choose

    def counted(*arguments: Any, code: Path, **named: Any) -> Choice:
        chosen.append(code.stem)
        return choose(*arguments, code=code, **named)

    monkeypatch.setattr(preparation, "choose", counted)
    await serve(application, project, "one")
    await serve(application, project, "one", "two")
    assert chosen == ["one", "one", "two"]
    one, two = (application.locations[name] for name in ("one", "two"))
    assert set(two.inputs) == set(one.inputs)


async def test_a_save_while_a_location_of_a_known_kind_is_chosen_is_not_lost(
    application: Application, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins, choose = project / ".python-version", codeloc_envs.choose
    seen = list[str]()

    def slow(*arguments: Any, code: Path, **named: Any) -> Choice:
        if code.stem == "two":
            seen.append(pins.read_text() if pins.exists() else "")
        choice = choose(*arguments, code=code, **named)
        if code.stem == "two" and not pins.exists():  # one save: a second would be one more change
            pins.write_text(">=3.9\n")
        return choice

    await serve(application, project, "one")
    monkeypatch.setattr(preparation, "choose", slow)
    await serve(application, project, "one", "two")
    async with asyncio.timeout(60):
        while len(seen) < 2:  # the next attempt may begin after the first has settled
            await asyncio.wait_for(application.locations["two"].settled(), 60)
            await asyncio.sleep(0)
    assert seen == ["", ">=3.9\n"]


async def test_those_who_ask_during_a_look_share_the_next_one() -> None:
    """So what is found is never older than the question, and sixty questions are a few looks."""
    begun, may_end = threading.Semaphore(0), threading.Semaphore(0)
    looked: list[Specification] = []

    def look(specification: Specification) -> None:
        looked.append(specification)
        begun.release()
        assert may_end.acquire(timeout=60)

    specification = Specification(EnvironmentKind.PACKAGES, Path("/"))
    looks = SharedLooks(look)
    first = asyncio.ensure_future(looks.find(specification))
    assert await asyncio.to_thread(begun.acquire, timeout=60)
    others = [asyncio.ensure_future(looks.find(specification)) for _ in range(5)]
    may_end.release()
    await first
    may_end.release()
    await asyncio.gather(*others)
    assert len(looked) == 2


def test_a_wrapper_that_is_denied_what_it_needs_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "setpriv"
    wrapper.write_text(
        "#!/bin/sh\necho 'activate capabilities: Operation not permitted' >&2\nexit 127\n"
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    environments.dying_with_us.cache_clear()
    assert environments.dying_with_us() == ()
    environments.dying_with_us.cache_clear()
