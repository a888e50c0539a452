"""Follows the config's files and compares them with what the daemon runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from codeloc_envs.problem import shortage
from codelocd.config import ConfigError
from codelocd.core import restarts as core
from codelocd.core.config_diff import ConfigDiff, plan
from codelocd.daemon.location import shortage_problem
from codelocd.model import (
    Config,
    DaemonSettings,
    DagsterSettings,
    MetricsSettings,
    NotifySettings,
    PageSettings,
)
from codelocd.watch.notices import Change, Watched
from codelocd.watch.watch import SourceWatch

if TYPE_CHECKING:
    from codelocd.documents.locations import ConfigDocument

NAME = "/config"
"""What the watch knows these files as: no location has a slash in its name."""

RESTART = "takes effect when codelocd is started again"
APPLY = "`codelocd apply`, or SIGHUP to the daemon, applies it"

REMOVES = "`codelocd apply` removes them, where that is meant"

STABLE = 0.5
"""Seconds for which a config has to stay the same before locations are removed because of it: an
editor may be half done with writing it, and the half may be valid."""


@dataclass(frozen=True, slots=True)
class ConfigState:
    """How the config's files compare with what runs; `at` is the time of the last change, in Unix
    seconds.

    `invalid`: they cannot be used, `problem` has a line for each mistake. `changed`: they ask for
    something else than what runs, and `problem` says what to do about it."""

    file: str | None
    state: Literal["applied", "changed", "invalid"]
    problem: str | None
    at: float

    def as_json(self) -> ConfigDocument:
        return {
            "file": self.file,
            "state": self.state,
            "problem": self.problem,
            "at": self.at,
        }


class ConfigWatch:
    """Reads the config again when its files change, and keeps the outcome.

    `reread` gives the config as its files say now, None where there is no file. `apply` makes
    what runs match a config. `told` hears of each change of the state.
    """

    def __init__(
        self,
        config: Config,
        reread: Callable[[], Config] | None,
        apply: Callable[[Config], ConfigDiff],
        told: Callable[[ConfigState], None],
    ) -> None:
        self.config = config
        self._started_with = _settings(config)
        self._reread = reread
        self._apply = apply
        self._told = told
        file = str(config.files[0]) if config.files else None
        self.state = ConfigState(file, "applied", None, time.time())
        self._watch: SourceWatch | None = None
        self._at_fault: frozenset[Path] = frozenset()
        self._later: asyncio.TimerHandle | None = None
        self._waits: Config | None = None
        self._shortages = 0
        self._one_look = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def has_files(self) -> bool:
        """Whether there is anything to read again."""
        return self._reread is not None

    async def read_apart(self) -> Config | None:
        """What the files say now; None where they cannot be used, which `state` then says. Read on
        another thread: a config of many mistakes takes its time."""
        return self._judged(await asyncio.to_thread(self._reading))

    def reapply(self, done: Callable[[], object]) -> None:
        """Read the files again, and make what runs match them where they can be used; then call."""
        self._do(self._reapply(done))

    async def _reapply(self, done: Callable[[], object]) -> None:
        config = await self.read_apart() if self.has_files else None
        if config is not None:
            self.take(config)
        done()

    def _reading(self) -> Config | ConfigError | OSError:
        assert self._reread is not None
        try:
            return self._reread()
        except (ConfigError, OSError) as error:
            return error

    def _judged(self, config: Config | ConfigError | OSError) -> Config | None:
        if not isinstance(config, Config):
            error = config
            if (lacking := shortage(error)) is not None:
                self._shortages += 1
                self._is("changed", shortage_problem(lacking, str(error)).summary)
                return None
            self._at_fault = error.files if isinstance(error, ConfigError) else frozenset()
            self._is("invalid", _said(error))
            self._shortages = 0
            return None
        self._at_fault = frozenset()
        self._shortages = 0
        return config

    def take(self, config: Config) -> ConfigDiff:
        """Make what runs match `config`; what `apply` answers."""
        self._stop_waiting()
        self.config = config
        answer = self._apply(config)
        pending = _pending(self._started_with, config)
        self._is("changed" if pending else "applied", pending)
        return answer

    def pending(self, config: Config) -> str | None:
        """What of a config takes effect only when the daemon is started again."""
        return _pending(self._started_with, config)

    async def follow(self, watch: SourceWatch, *, apply: bool) -> None:
        """Look at each change of the files from now on. `apply`: carry it out; otherwise only
        report it. A save after the config was read and before the watches stood counts, too."""
        self._watch = watch
        watch.follow(NAME, self._watched(), partial(self._changed, apply))
        async with self._one_look:
            watch.begin(NAME)
            config = await self.read_apart()
            if config is None and self._shortages:
                self._look_later(core.shortage_pause(self._shortages, 0.5), apply=apply)
            elif config is not None and _compared(config) != _compared(self.config):
                self._seen(config, None, apply=apply)
                watch.follow(NAME, self._watched())
        watch.took_over(NAME)

    def _changed(self, apply: bool, _name: str, _change: Change) -> None:
        self._do(self._follow_change(apply=apply))

    async def _follow_change(self, *, apply: bool) -> None:
        """What is saved while the files are read is another change, which waits its turn."""
        async with self._one_look:
            if self._watch is not None:
                self._watch.begin(NAME)
                await self._look_once(apply=apply)
        if self._watch is not None:
            self._watch.follow(NAME, self._watched())
            self._watch.took_over(NAME)

    def close(self) -> None:
        self._stop_waiting()
        for task in self._tasks:
            task.cancel()
        if self._watch is not None:
            self._watch.forget(NAME)

    async def _look(self, *, apply: bool) -> None:
        async with self._one_look:
            await self._look_once(apply=apply)

    async def _look_once(self, *, apply: bool) -> None:
        waited = self._stop_waiting()
        self._seen(await self.read_apart(), waited, apply=apply)

    def _seen(self, config: Config | None, waited: Config | None, *, apply: bool) -> None:
        if config is None:
            if self._shortages:
                self._look_later(core.shortage_pause(self._shortages, 0.5), apply=apply)
        elif apply:
            self._take_once_stable(config, waited)
        elif _compared(config) != _compared(self.config):
            self._is("changed", APPLY)
        else:
            pending = _pending(self._started_with, config)
            self._is("changed" if pending else "applied", pending)

    def _take_once_stable(self, config: Config, waited: Config | None) -> None:
        """Additions and edits take effect at once. A removal takes effect once the files have been
        the same for a moment; one that removes most locations needs `codelocd apply`."""
        running = {spec.name: spec for spec in self.config.locations}
        change = plan(running, config.locations)
        if change.removed and config != waited:
            self._waits = config
            self._look_later(STABLE, apply=True)
        elif change.is_rash(len(running)):
            gone = f"{len(change.removed)} of {len(running)} locations"
            self._is("changed", f"it no longer has {gone}, which run on; {REMOVES}")
        else:
            self.take(config)

    def _look_later(self, pause: float, *, apply: bool) -> None:
        loop = asyncio.get_running_loop()
        self._later = loop.call_later(pause, lambda: self._do(self._look(apply=apply)))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop_waiting(self) -> Config | None:
        """End the wait; returns the config that it was for."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        waited, self._waits = self._waits, None
        return waited

    def _watched(self) -> Watched:
        paths = {*self.config.files, *self.config.looked_for, *self._at_fault}
        return Watched(frozenset(map(str, paths)), (), (), (), "/", frozenset())

    def _is(self, state: Literal["applied", "changed", "invalid"], problem: str | None) -> None:
        """Report a state, unless it is the same mistake as before, saved again."""
        before = self.state
        self.state = replace(before, state=state, problem=problem, at=time.time())
        if (before.state, before.problem) == (state, problem) and state != "applied":
            self.state = before
        else:
            self._told(self.state)


def _said(error: ConfigError | OSError) -> str:
    if isinstance(error, FileNotFoundError) and error.filename is None:  # as of `getcwd`
        return "the folder that the daemon was started in no longer exists"
    return str(error)


def _compared(config: Config) -> Config:
    """The part of a config that decides what runs."""
    return replace(config, notes=(), files=(), looked_for=())


_Settings: TypeAlias = tuple[
    DaemonSettings, DagsterSettings, MetricsSettings, PageSettings, NotifySettings, str | None
]


def _settings(config: Config) -> _Settings:
    tables = config.daemon, config.dagster, config.metrics, config.page, config.notify
    return (*tables, config.otlp)


def _pending(before: _Settings, config: Config) -> str | None:
    """Which tables differ from those that the daemon was started with. `warm_idle` is left out: it
    takes effect at once."""
    daemon = replace(config.daemon, warm_idle=before[0].warm_idle)
    now = (daemon, *_settings(config)[1:])
    names = ("[daemon]", "[dagster]", "[metrics]", "[ui]", "[notify]", "[telemetry]")
    changed = [name for name, old, new in zip(names, before, now, strict=True) if old != new]
    return f"{' and '.join(changed)} was changed, which {RESTART}" if changed else None
