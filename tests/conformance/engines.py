"""The engines that the stories are tried with, and what a project's daemon is to a story.

For the author of an engine: subclass `tests.conformance.stories.EngineStories` in a module of your
own, and give it a fixture `engine` that returns an `EngineSetting`. docs/engines.md has an example.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeloc_envs import Request, choose
from codelocd.client import Client, RpcError
from codelocd.engine.command import OtherCommand
from codelocd.engine.engine import BridgeEngine
from codelocd.engine.making import hello_of
from codelocd.model import Target
from codelocd.placement import EngineSettings, Placement, Resources
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.runners.api import RunnerSpec
from codelocd.runners.bundle import make_bundle
from codelocd.runners.engine import EngineOrder
from tests import commands
from tests.end_to_end.daemons import CACHE, CODELOCD, DEADLINE, Entry, Service, native, serving

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class EngineSetting:
    """How a config asks for an engine.

    `table`: the text of its `[engine]` table, "" for the daemon's own machine; `location`: the
    lines that each location has for it. `lose(node)` takes a node away at once, with all that is
    on it, None where there are no nodes; `fence`: seconds after which its runners count as ended.
    `command`: how the daemon is run, on a machine that reaches the nodes.
    """

    table: str = ""
    location: str = ""
    lose: Callable[[str], None] | None = None
    fence: float = 0.0
    command: Sequence[str] = (str(CODELOCD),)


CONFIG = """
[daemon]
log_format = "json"
orphan_timeout = "1min"

{engine}

[defaults]
ping_interval = "1min"
ping_timeout = "1min"
stop_timeout = "5s"
backoff = {{ initial = "50ms", maximum = "500ms" }}
"""

LOCATION = """
[location.{name}]
python_file = "{name}.py"
env = {{ FOLDER = "{folder}" }}
{engine}
{more}
"""


@dataclass(slots=True)
class Place:
    """A project, its daemon, and what stories do with both."""

    project: Path
    home: Path
    engine: EngineSetting
    started: list[Service] = field(default_factory=list)
    _locations: dict[str, str] = field(default_factory=dict)

    def config(self, *names: str, more: str = "") -> None:
        """A location for each name, with these further lines of its table."""
        for name in names:
            self._locations[name] = more
        tables = [
            LOCATION.format(name=each, folder=self.home, engine=self.engine.location, more=lines)
            for each, lines in self._locations.items()
        ]
        path = self.project / "codelocd.toml"
        path.touch(0o600)
        path.write_text(CONFIG.format(engine=self.engine.table) + "".join(tables))

    def write(self, name: str, source: str) -> None:
        """The code of a location, replaced at once."""
        path = self.project / f"{name}.py"
        path.with_suffix(".new").write_text(source)
        path.with_suffix(".new").rename(path)

    def start(self) -> Service:
        (self.home / "notify").unlink(missing_ok=True)
        self.started.append(Service(self.project, self.home, self.engine.command))
        self.started[-1].told(b"READY=1")
        return self.started[-1]

    def kill(self) -> None:
        """The newest daemon, and nothing else."""
        daemon = self.started[-1]
        daemon.process.kill()
        daemon.process.communicate()
        daemon.manager.close()

    def end(self) -> None:
        for each in self.started:
            if each.process.poll() is None:
                each.stop()

    def codelocd(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A command of a user of the newest daemon."""
        return commands.run(words, cwd=self.project, environ=self.started[-1].environ, given=given)

    def assets(self) -> list[str]:
        """The names that are listed."""
        with self.started[-1].client() as client:
            return sorted(each["name"] for each in client.call("definitions")["definitions"])

    def until_listed(self, *names: str) -> Entry:
        """Returns the entry of `a`, once exactly these are listed and it is at rest."""

        def holds(entry: Entry) -> bool:
            return serving(entry) and self.assets() == sorted(names)

        return self.started[-1].until("a", holds)

    def lines(self, name: str) -> list[str]:
        with self.started[-1].client() as client:
            found = client.call("logs", {"locations": [name], "lines": 1000})
            return [each["text"] for each in found["lines"]]

    def events(self, name: str) -> list[str]:
        with self.started[-1].client() as client:
            found = client.call("events", {"locations": [name], "lines": 1000})
            return [each["event"] for each in found["events"]]


@contextlib.contextmanager
def caller(client: Callable[[], Client], pause: float = 0.01) -> Iterator[list[str]]:
    """Asks the runner of `a` a hundred times a second meanwhile; the list gets what failed."""
    failures: list[str] = []
    ends = threading.Event()

    def ask() -> None:
        with client() as asking:
            while not ends.wait(pause):
                try:
                    asking.call("call", {"location": "a", "method": "describe"}, timeout=DEADLINE)
                except RpcError as error:
                    failures.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failures
    finally:
        ends.set()
        thread.join(DEADLINE)


class Loopback:
    """An engine of nodes on this machine: no cluster, but the protocol that every bridge speaks."""

    def __init__(self, folder: Path, *names: str) -> None:
        """`folder`: short, for sockets."""
        self.folder = folder
        self.nodes = {name: self._node(name) for name in names}
        for node in self.nodes.values():
            assert node.stdout is not None
            assert node.stdout.readline() == "ready\n"

    def _node(self, name: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.conformance.loopback_node"]
        paths = [str(self.folder / f"{name}.sock"), str(CACHE / "codelocd")]
        return subprocess.Popen(
            [*words, *paths], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def setting(self, fence: float = 1.0, more: str = "") -> EngineSetting:
        table = f'[engine]\nkind = "other"\nbridge = {self._words()!r}\nfence = {fence}\n{more}'
        return EngineSetting(table, 'engine = "other"', self.lose, fence)

    def settings(self) -> EngineSettings:
        """The same, as a daemon has read it."""
        return EngineSettings("other", bridge=tuple(self._words()))

    def _words(self) -> list[str]:
        return [sys.executable, "-c", RUN_BRIDGE, str(ROOT), str(self.folder)]

    def lose(self, name: str) -> None:
        self.nodes[name].send_signal(signal.SIGKILL)
        self.nodes[name].wait()

    def is_away(self, away: bool) -> None:
        """Whether the cluster is out of reach, for the next bridge."""
        mark = self.folder / "away"
        mark.touch() if away else mark.unlink()

    def close(self) -> None:
        for node in self.nodes.values():
            if node.poll() is None:
                node.terminate()
            node.communicate()


RUN_BRIDGE = (
    "import sys, runpy; root, folder, fd = sys.argv[1:]; sys.path.insert(0, root); "
    "sys.argv[1:] = [folder, fd]; "
    "runpy.run_module('tests.conformance.loopback_bridge', run_name='__main__')"
)


@contextlib.contextmanager
def children_of_test() -> Iterator[Children]:
    """What starts processes, as a daemon has it."""
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    try:
        yield children
    finally:
        children.close()
        guardian.close()


@contextlib.asynccontextmanager
async def engine_of(settings: EngineSettings, folder: Path) -> AsyncIterator[BridgeEngine]:
    """An engine behind a bridge, `settings.bridge`, without a daemon around it."""
    owner = f"test-{secrets.token_hex(4)}"
    hello = hello_of(settings, owner, make_bundle(folder / "bundles"), 60.0)
    with children_of_test() as children:
        command = OtherCommand(settings)
        engine = BridgeEngine(children, settings, command, hello, lambda _stream, _data: None)
        try:
            yield engine
        finally:
            await engine.close(leave=False)


def start_order(folder: Path, epoch: int, cpu: float = 0.0) -> RunnerSpec:
    """For a runner of `sales`, whose code is in the folder, here or on a node."""
    code = folder / "defs.py"
    code.write_text(native("orders"))
    choice = choose(Request(packages=()), code=code)
    remote = EngineOrder(
        location="sales",
        epoch=epoch,
        specification=choice.specification,
        inputs=(),
        placement=Placement("other", Resources(cpu)),
        directory=folder,
    )
    return RunnerSpec(
        location="sales",
        environment="",
        executable=Path(sys.executable),
        variables={"PATH": os.environ["PATH"]},
        working_directory=folder,
        target=Target("python_file", str(code)),
        attribute=None,
        output=lambda _stream, _data: None,
        start_method="spawn",
        remote=remote,
        epoch=epoch,
    )


def pid_of(entry: Entry) -> int:
    pid: Any = entry["pid"]
    assert isinstance(pid, int)
    return pid


def elapsed(began: float) -> float:
    return time.monotonic() - began
