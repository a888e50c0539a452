"""Runs of locations of other users than the daemon's: their folders are theirs alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from codeloc_envs import Request
from codelocd.daemon.application import Application
from codelocd.daemon.runs.event_pipe import made_fifo
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.model import Config, LocationSpec, Policy, Target
from codelocd.process.accounts import account
from codelocd.runs.evaluation import Starter
from codelocd.runs.model import RunId, RunState, RunWish
from codelocd.storage.paths import DaemonPaths
from tests.supervisor.runs.attempting import DEADLINE, OneKeeper

FIRST, SECOND = 65532, 65533
PYTHON = "/usr/bin/python3"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists(PYTHON) or sys.platform != "linux",
    reason="only root can start processes of other users, who need a Python that they can reach",
)
CODE = """
import glob, os
from codeloc import Definitions, Skip, asset, job, sensor
STATE = {state!r}
def may(what, path):
    try:
        return [what(path), path]
    except OSError as error:
        return type(error).__name__
@asset
def one(): return 1
@asset
def two(context, one):
    context.add_metadata(
        uids=os.getresuid(), one=one, run=context.run,
        own=sorted(os.listdir(STATE + "/runs/" + str(context.run))),
        others=[may(os.listdir, STATE + "/runs/" + str(context.run - 1)),
                may(os.listdir, STATE + "/runs"), may(os.listdir, STATE + "/runs/code"),
                may(os.listdir, STATE + "/values")],
        codes=[name for name in ({first}, {second})
               if may(os.listdir, STATE + "/runs/code-" + str(name)) != "PermissionError"],
    )
    return two
@job
def refresh(): ...
@sensor(job=refresh)
def whose(context):
    return Skip(f"{{os.getresuid()}} {{may(os.listdir, STATE + '/runs/evaluations')}}")
defs = Definitions(assets=[one, two], jobs=[refresh], sensors=[whose])
"""


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    """In a folder that every user can pass, with an environment for them."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    state = folder / "state"
    state.mkdir(mode=0o700)
    paths = DaemonPaths("test", folder / "s", state, state / "store", folder / "run")
    application = Application(Config(()), paths, lambda _: None, development=True)
    file = folder / "defs.py"
    file.write_text(CODE.format(state=str(state), first=FIRST, second=SECOND))
    file.chmod(0o644)

    def spec(name: str, user: int | None, **more: Any) -> LocationSpec:
        target, policy = Target("python_file", str(file)), Policy(restart="never")
        who = None if user is None else str(user)
        wish = Request(python=PYTHON)
        return LocationSpec(
            name, target, folder, "test", policy=policy, user=who, environment=wish, **more
        )

    application.apply(Config((spec("a", FIRST), spec("b", SECOND), spec("c", None))))
    for location in application.locations.values():
        await asyncio.wait_for(location.settled(), DEADLINE)
        assert location.serving is not None, location.state.problem
    yield application
    await application.close()
    shutil.rmtree(folder)


async def test_each_user_reaches_its_own_folders_and_no_others(application: Application) -> None:
    keeper = OneKeeper(application)
    for name, user in (("a", FIRST), ("b", SECOND)):
        first = await keeper.ended(await keeper.begin(RunWish(name)))
        assert first.state is RunState.SUCCEEDED, (first, keeper.printed(first.id))
        again = await keeper.ended(await keeper.begin(RunWish(name, select=("two",))))
        assert again.state is RunState.SUCCEEDED, "the value was stored, and can be read"
        told = again.steps[0]["metadata"]
        assert told["uids"] == [user] * 3
        assert told["one"] == 1
        assert told["own"] == ["begun.1", "events.1", "lock.1", "order.1"]
        others = told["others"]
        assert others[1:] == ["PermissionError"] * 3
        assert told["codes"] == [user]
        if name == "b":
            assert first.steps[1]["metadata"]["others"][0] == "PermissionError", "a's run"
        assert again.late == {}, "all of its code came from what is served"
        assert keeper.codes.texts(again.manifest)
    own = await keeper.ended(await keeper.begin(RunWish("c")))
    assert own.state is RunState.SUCCEEDED
    folder = application.run_base.folders.of_runs.of(own.id)
    assert folder.stat().st_uid == 0


async def test_a_sensor_is_asked_as_the_user_of_its_location(application: Application) -> None:
    OneKeeper(application)
    evaluations = application.run_base.evaluations()
    for name, user in (("a", FIRST), ("b", SECOND)):
        found = await evaluations.evaluate(Starter(name, "__repository__", "whose"))
        assert found.summary is None
        assert found.skipped == f"{(user, user, user)} PermissionError"


async def test_a_link_in_a_folder_of_another_user_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("root's alone")
    paths = DaemonPaths("test", tmp_path / "s", tmp_path, tmp_path, tmp_path)
    folders, who = AttemptFolders(paths), account(str(FIRST), None)
    folder = folders.of_runs.of(RunId(1))
    folder.mkdir(parents=True)
    os.chown(folder, FIRST, FIRST)
    for name in ("order.1", "order.1.new", "result.1", "begun.1", "lock.1"):
        (folder / name).symlink_to(precious)
    folders.of_runs.write_order(RunId(1), 1, {}, who)
    assert precious.read_text() == "root's alone"
    assert precious.stat().st_uid == 0
    files = folders.of_runs.look(RunId(1), 1)
    assert (files.lives, files.result) == (False, None)
    assert files.damage is not None


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_fifo_is_not_opened_for_a_process_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Who has the folder may put another file there after the FIFO was made."""
    precious, path = tmp_path / "precious", tmp_path / "events.1"
    precious.write_text("root's alone")

    def replaced(where: Path, _mode: int) -> None:
        os.link(precious, where) if kind == "file" else os.symlink(precious, where)

    monkeypatch.setattr(os, "mkfifo", replaced)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"FIFO|symbolic links"):
        made_fifo(path)
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_folder_of_values_of_another_user_is_refused_in_one_line(tmp_path: Path) -> None:
    paths = DaemonPaths("test", tmp_path / "s", tmp_path / "state", tmp_path, tmp_path)
    folders = AttemptFolders(paths)
    folder = paths.values("sales", "r")
    folder.mkdir(parents=True)
    os.chown(folder, FIRST, FIRST)
    with pytest.raises(PermissionError, match=f"belongs to user {FIRST}, and the location runs"):
        folders.make_values("sales", "r", account(str(SECOND), None))
