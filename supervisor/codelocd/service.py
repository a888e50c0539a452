"""The daemon as a process: its door, its signals, its start and its end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import structlog

from codelocd import lock, notify, rpc, service_log
from codelocd.config_watch import ConfigState, ConfigWatch
from codelocd.control import Control, Identity
from codelocd.door import Door
from codelocd.house import House
from codelocd.model import Config
from codelocd.observer import Ear, Observer
from codelocd.paths import DaemonPaths
from codelocd.plan import Plan
from codelocd.render.screen import colours
from codelocd.subscriptions import TOPICS

log = structlog.get_logger()


def run(
    config: Config,
    *,
    mode: Literal["dev", "service"],
    paths: DaemonPaths,
    reread: Callable[[], Config] | None,
    observer: Observer | None,
) -> int:
    """Run the daemon in the foreground until it is told to stop; returns the exit code.

    `reread` gives the config as its files say now: heeded on save under `dev`, on SIGHUP as a
    service. `observer` gets what a subscriber of all topics gets. Raises `lock.Busy`
    when another daemon has the state, and OSError.
    """
    coloured = colours(os.environ, terminal=sys.stdout.isatty())
    service_log.configure(config.daemon.log_format, coloured=coloured)
    if mode == "service":
        observer = service_log.observe
    gc.freeze()  # what is imported by now stays: no search for garbage need go through it
    with lock.held(paths.state_dir / "lock"):
        asyncio.run(Service(config, paths, reread, observer, mode).run())
    return 0


class Service:
    """One run of the daemon."""

    def __init__(
        self,
        config: Config,
        paths: DaemonPaths,
        reread: Callable[[], Config] | None,
        observer: Observer | None,
        mode: Literal["dev", "service"],
    ) -> None:
        self._development = mode == "dev"
        self._paths = paths
        self._reread = reread
        self._config = ConfigWatch(config, reread, self._make_so, self._told_of_config)
        self._observer = observer
        self._notifier = notify.Notifier(os.environ)
        self._ends = asyncio.Event()

    async def run(self) -> None:
        config = self._config.config
        self._house = house = House(
            config,
            self._paths,
            self._full_state,
            self._report,
            development=self._development,
        )
        self._control = self._make_control()
        if self._observer is not None:
            beginning = {"instance": house.instance, "seq": 0}
            house.hub.subscribe(Ear(self._observer), TOPICS, since=beginning)
        passed = notify.passed_socket(os.environ)
        door = Door(self._paths.socket, config.daemon.socket_group, self._report)
        server = await rpc.serve(
            passed or door.open(),
            self._control.handle,
            allowed=self._may_enter,
            report=lambda where, error: log.warning("request failed", where=where, error=error),
            disconnected=house.hub.drop,
        )
        self._heed_signals(hang_up=self._stop if self._development else self._reapply)
        if self._reread is not None:
            self._config.follow(apply=self._development, report=self._report)
        signs_of_life = asyncio.ensure_future(self._show_life())
        kept = asyncio.ensure_future(door.keep(server)) if passed is None else None
        house.apply(config)
        self._notifier.ready(f"{len(config.locations)} locations")
        await self._ends.wait()
        self._notifier.stopping()
        self._config.close()
        await house.close()
        signs_of_life.cancel()
        if kept is not None:
            kept.cancel()
            door.close()
        server.close()

    def _make_control(self) -> Control:
        house = self._house
        identity = Identity(house.instance, str(self._paths.socket), began=time.monotonic())
        return Control(
            house.daemon,
            identity,
            logs=house.logs,
            orders=house.orders,
            hub=house.hub,
            environments=lambda: asyncio.to_thread(house.environments),
            apply=self._apply,
            shutdown=self._ends.set,
            dagster=house.dagster.about if house.dagster is not None else dict,
            config=lambda: self._config.state.as_json(),
        )

    def _full_state(self, topic: str) -> dict[str, Any]:
        return self._control.full_state(topic)

    # --- the config ----------------------------------------------------------------------------

    def _apply(self, dry_run: bool) -> dict[str, Any]:
        """Raises RpcError when the config is broken: then nothing changes."""
        if self._reread is None:
            raise rpc.RpcError("usage", "this daemon has no config file")
        config = self._config.read()
        if config is None:
            problem = self._config.state.problem or ""
            raise rpc.RpcError("usage", problem, {"problems": problem.splitlines()})
        if dry_run:
            return self._house.apply(config, dry_run=True).as_json()
        plan: Plan = self._config.take(config)
        return plan.as_json()

    def _make_so(self, config: Config) -> Plan:
        return self._house.apply(config)

    def _reapply(self) -> None:
        config = self._config.read() if self._reread is not None else None
        if config is not None:
            self._config.take(config)

    def _told_of_config(self, state: ConfigState) -> None:
        self._house.daemon.tell(f"config-{state.state}", state.problem, {"config": state.as_json()})
        if state.problem is not None:
            for line in state.problem.splitlines():
                self._report(f"the config is not applied: {line}")

    # --- life and death ------------------------------------------------------------------------

    def _heed_signals(self, hang_up: Callable[[], None]) -> None:
        """A terminal that is closed ends what runs in it; a service reads its config again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, hang_up)

    def _stop(self) -> None:
        """The first time in good order, the second time at once."""
        if self._ends.is_set():
            self._house.kill()
        self._ends.set()

    async def _show_life(self) -> None:
        interval = self._notifier.watchdog_interval
        while interval is not None:
            self._notifier.alive()
            await asyncio.sleep(interval)

    def _report(self, message: str) -> None:
        log.warning(message)

    def _may_enter(self, who: rpc.Credentials) -> bool:
        """Root, the daemon's own user, and those whom the socket's mode lets in by its group."""
        group = self._config.config.daemon.socket_group
        return group is not None or who.uid in (0, os.geteuid())
