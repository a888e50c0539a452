"""The daemon as a process: its control socket, its signals, its log, its start and its end."""

from __future__ import annotations

import asyncio
import gc
import grp
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Literal

from codelocd.daemon import systemd
from codelocd.daemon.application import Application
from codelocd.daemon.config_watch import ConfigState, ConfigWatch
from codelocd.daemon.control import Control, Identity
from codelocd.daemon.control_socket import (
    HEEDED,
    ControlSocket,
    LeftSocket,
    ObserveSocket,
    Successor,
)
from codelocd.daemon.log import begin as begin_log
from codelocd.daemon.page import page_beside
from codelocd.daemon.rights import Gate, Refusals, Trusted
from codelocd.daemon.status_file import StatusFile
from codelocd.daemon.subscriptions import LocalSubscriber, Observer
from codelocd.model import Config, MetricsSettings, NotifySettings
from codelocd.process.event_loop import SteadyLoop, end_at_last, ended_within, start_threads
from codelocd.render.text import colours
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import Server, start_server
from codelocd.storage.daemon_log import structlog
from codelocd.storage.paths import DaemonPaths, held_lock

if TYPE_CHECKING:
    from codelocd.daemon.metrics.endpoint import Monitoring
    from codelocd.daemon.traces import Traces
    from codelocd.documents.locations import StatusDocument

log = structlog.get_logger()


def run(
    config: Config,
    *,
    mode: Literal["dev", "service"],
    paths: DaemonPaths,
    reread: Callable[[], Config] | None,
    observer: Observer | None = None,
    report: Callable[[str], None] | None = None,
    ends: bool = False,
) -> int:
    """Run the daemon in the foreground until it is told to stop; returns the exit code.

    `reread` gives the config as its files say now: heeded on save under `dev`, on SIGHUP as a
    service. `observer` gets what a subscriber of all topics gets, lines of output in blocks; a
    service has one of its own, which writes its log. `report` gets remarks about the daemon itself,
    instead of its log. `ends`: at once, with what an earlier daemon left. Raises `Busy` when
    another daemon has the state, and OSError.
    """
    coloured = colours(os.environ, terminal=sys.stdout.isatty())
    is_service = mode == "service"
    logged, topics = begin_log(config.daemon.log_format, coloured=coloured, is_service=is_service)
    observer = logged if is_service else observer
    topics = topics if is_service else ("status", "definitions", "logs", "builds")
    sys.setswitchinterval(SWITCH)
    gc.freeze()  # all that is imported by now stays, so the garbage collector need not search it
    with held_lock(paths.state_dir / "lock"), asyncio.Runner(loop_factory=SteadyLoop) as runner:
        service = Service(config, paths, reread, observer, topics, report, mode)
        runner.run(service.run(ends=ends))
        end_at_last()
    return 0


SWITCH = 0.001
"""Seconds after which a thread at work lets the loop have its turn, which waits for that several
times in one answer; 0.005 is Python's own."""

STOP_MARGIN = 80.0
"""Seconds beyond drain_timeout and the longest stop_timeout in which all is over: Dagster may take
60 to be told of runs. What is left then is killed, and where the daemon waited is logged."""

MISTAKES = 99
"""Lines of a config's problem that are logged beside the first; `codelocd check` has them all."""

LAST_ANSWERS = 1.0
"""Seconds in which what was asked before an upgrade is answered."""


class Service:
    """One run of the daemon."""

    def __init__(
        self,
        config: Config,
        paths: DaemonPaths,
        reread: Callable[[], Config] | None,
        observer: Observer | None,
        topics: Collection[str],
        report: Callable[[str], None] | None,
        mode: Literal["dev", "service"],
    ) -> None:
        self._development = mode == "dev"
        self._started_with = config
        self._paths = paths
        self._reread = reread
        self._observer = observer
        self._topics = topics
        self._report = report or log.warning
        self._left = LeftSocket.told(os.environ)
        self._successor = Successor(dict(os.environ))
        self._notifier = systemd.Notifier(os.environ)
        self._ends = asyncio.Event()
        self._beside: list[Monitoring | ObserveSocket] = []
        self._traces: Traces | None = None

    async def run(self, *, ends: bool) -> None:
        config, report = self._started_with, self._report
        self._heed_signals((lambda: self._stop("SIGHUP")) if self._development else self._reapply)
        start_threads(asyncio.get_running_loop())
        application = self._made(ends=ends)
        await application.read_left()
        control = self._control()
        self._begin_observing(application, control)
        self._refusals = Refusals(self._told_of_refusal, asyncio.get_running_loop().call_later)
        gate = Gate(Trusted.by(config.daemon), self._refusals)
        control_socket = ControlSocket(self._paths.socket, gate.group, report)
        passed = systemd.passed_socket(os.environ, gate.group)
        server = await start_server(
            passed or control_socket.take(self._left),
            application.daemon.tally.counting(gate.guard(control.handle), control.methods),
            allowed=gate.admits,
            report=_failed,
            disconnected=self._disconnected,
        )
        await self._begin_observe_socket(config.daemon.observe_group, control)
        status_file = StatusFile(self._paths.socket, control, gate.group, self._tell_manager)
        application.hub.subscribe(status_file, ("status",), None, lambda _topic: {})
        kept = [] if passed is not None else [control_socket.keep(server)]
        chores = [*map(asyncio.ensure_future, (self._show_life(), status_file.keep(), *kept))]
        self._begin_page(config)
        application.apply(config, now=True)
        await application.settle_inheritance()
        if self._config.has_files:
            await self._config.follow(application.watch, apply=self._development)
        await self._begin_monitoring(config, server, gate.group)
        self._tell_manager(control.status())
        self._notifier.ready()
        await self._ends.wait()
        if self._successor.is_due and (listener := await server.pause(LAST_ANSWERS)) is not None:
            await self._upgraded(status_file, passed, control_socket.leave(listener))
        await self._close()
        for chore in chores:
            chore.cancel()
        status_file.remove()
        for socket_or_server in (control_socket, *self._beside, server):
            socket_or_server.close()

    def _made(self, *, ends: bool) -> Application:
        config, development = self._started_with, self._development
        made = Application(config, self._paths, self._report, development=development)
        self._application = made
        self._config = ConfigWatch(config, self._reread, made.apply, self._told_of_config)
        if ends:
            self._end("serve --end")
        return made

    async def _begin_monitoring(self, config: Config, server: Server, group: int | None) -> None:
        """Under `dev` only where the config asks for it."""
        if self._development and config.metrics == MetricsSettings():
            return
        from codelocd.daemon.metrics.endpoint import Monitoring, beside  # `dev` starts without it

        monitoring = Monitoring(
            self._application,
            self._config,
            lambda: len(server.peers),
            self._ends.is_set,
            self._report,
        )
        await monitoring.begin(beside(self._paths.socket), group, config.metrics.port)
        self._beside.append(monitoring)

    async def _close(self) -> None:
        """End everything in order; what takes longer than it can is killed."""
        application, seconds = self._application, self._application.longest_stop() + STOP_MARGIN
        self._notifier.stopping(seconds)
        self._config.close()
        late = await ended_within(seconds, self._leave(application.close()))
        if late is not None:
            self._report(f"not all had ended after {seconds:g} s, and is killed; waited at: {late}")
            application.kill()
            application.guardian.close()

    async def _leave(self, parting: Coroutine[None, None, None]) -> None:
        """End the application, or hand it over; then send the last traces."""
        await parting
        if self._traces is not None:
            await self._traces.close()

    async def _begin_observe_socket(self, group: str | None, control: Control) -> None:
        """Where the config names a group for it."""
        if group is None:
            return
        number, application = grp.getgrnam(group).gr_gid, self._application
        observing = ObserveSocket(self._paths.socket, number, self._refusals, self._report)
        handler = application.daemon.tally.counting(control.handle, control.methods)
        await observing.begin(handler, _failed, application.hub.drop)
        self._beside.append(observing)

    def _control(self) -> Control:
        application, began = self._application, time.monotonic()
        identity = Identity(application.instance, str(self._paths.socket), began)
        return Control(application, self._config, identity, self._end, self._upgrade)

    def _tell_manager(self, document: StatusDocument) -> None:
        shown = [{each["state"], each["reloading"]} for each in document["locations"]]
        self._notifier.is_building = any("building" in each for each in shown)
        self._notifier.status(systemd.told(document))

    def _begin_page(self, config: Config) -> None:
        if config.page.serve and not self._ends.is_set():
            command = page_beside(config, self._paths, development=self._development)
            self._application.start_page(command, self._report if self._development else log.info)

    def _begin_observing(self, application: Application, control: Control) -> None:
        beginning = {"instance": application.instance, "seq": 0}
        observers = [(self._observer, self._topics)]
        if self._started_with.notify != NotifySettings():
            observers.append((application.notifications(self._report).observe, ("status",)))
        if self._started_with.otlp is not None:
            from codelocd.daemon.traces import Traces  # few daemons have a collector

            self._traces = Traces(self._started_with.otlp, application.instance, self._report)
            observers.append((self._traces.observe, ("status",)))
        for observer, topics in observers:
            if observer is not None:
                application.hub.subscribe(
                    LocalSubscriber(observer), topics, beginning, control.full_state, blocks=True
                )

    # --- the config ----------------------------------------------------------------------------

    def _reapply(self) -> None:
        self._notifier.reloading()
        self._config.reapply(self._notifier.ready)

    def _told_of_config(self, state: ConfigState) -> None:
        self._application.publisher.tell(f"config-{state.state}", state.problem, state.as_json())
        if state.problem is not None and not self._development:  # there the observer says so
            first, *others = state.problem.splitlines()
            more = len(others) - MISTAKES
            for line in (first, *others[:MISTAKES], *([f"and {more} more"] if more > 0 else [])):
                self._report(f"the config is not applied: {line}")

    # --- life and death ------------------------------------------------------------------------

    def _heed_signals(self, hang_up: Callable[[], None]) -> None:
        """A terminal that is closed ends what runs in it; a service reads its config again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number.name)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        loop.add_signal_handler(signal.SIGQUIT, self._quit)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
            loop.add_signal_handler(number, self._ignore, number)
        if not self._development:
            loop.add_signal_handler(signal.SIGUSR2, self._upgrade_at_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)

    def _ignore(self, number: signal.Signals) -> None:
        """By default it would end the process without a word, and leave what it runs."""
        self._report(f"{number.name} was ignored: it means nothing here; SIGTERM ends the daemon")

    def _quit(self) -> None:
        """As Ctrl-\\ on a terminal is meant: nothing is waited for."""
        self._report("SIGQUIT ends the daemon at once, and kills what it runs")
        self._successor.is_due = False
        self._application.kill()
        self._ends.set()

    def _stop(self, signal_name: str) -> None:
        """End the daemon: the first signal asks it to finish in order, the second ends it at
        once. It also calls off an upgrade."""
        if self._successor.is_due:
            self._successor.is_due = False
        elif self._ends.is_set():
            self._application.kill()
        self._end(signal_name)

    def _end(self, by: str) -> None:
        """Begin to end, and tell what asked for it."""
        if not self._ends.is_set():
            self._application.publisher.ends(by)
            self._application.daemon.begin_nothing()
            self._application.runs.begin_nothing()
        self._ends.set()

    async def _upgrade(self) -> None:
        """Become what is installed now. Raises RpcError."""
        if self._development:
            raise RpcError("usage", "only `codelocd serve` is upgraded as it runs: start dev again")
        if self._config.has_files and await self._config.read_apart() is None:
            raise RpcError("usage", f"the new code could not start: {self._config.state.problem}")
        await asyncio.to_thread(self._successor.try_out)
        self._successor.is_due = True
        asyncio.get_running_loop().call_soon(self._ends.set)

    async def _upgraded(
        self, status_file: StatusFile, passed: socket.socket | None, left: LeftSocket | None
    ) -> None:
        """Returns only where the upgrade was called off meanwhile."""
        if self._successor.is_due:
            self._notifier.reloading()
            status_file.tell_upgrade()
            await self._leave(self._application.hand_over())
            self._successor.begin(passed, left)

    def _upgrade_at_signal(self) -> None:
        self._upgrading = asyncio.ensure_future(self._upgrade())
        self._upgrading.add_done_callback(self._tell_why_not)

    def _tell_why_not(self, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and (failure := done.exception()) is not None:
            self._report(str(failure))

    async def _show_life(self) -> None:
        while self._notifier.is_heard:
            self._notifier.alive()
            await asyncio.sleep(self._notifier.beat)

    def _disconnected(self, peer: Peer) -> None:
        self._application.hub.drop(peer)
        if peer.slow:
            self._application.daemon.relieve()

    def _told_of_refusal(self, line: str) -> None:
        self._application.publisher.tell("refused", line)
        self._report(line)


def _failed(where: str, error: Exception) -> None:
    log.warning("request failed", where=where, error=error)
