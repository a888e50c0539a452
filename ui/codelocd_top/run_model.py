"""What may happen to runs in the terminal view, and what may be ordered of them. Values alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

RunPane: TypeAlias = Literal["steps", "output"]
RunVerb: TypeAlias = Literal["run", "run_cancel", "run_retry"]
RunSummary: TypeAlias = Mapping[str, Any]
"""As docs/protocol.md has it: a run without its steps and attempts."""
RunDocument: TypeAlias = Mapping[str, Any]

RUN_PANES: tuple[RunPane, ...] = ("steps", "output")
RUNS, WAITING = 200, 1000
"""Runs that have ended, and that have not, of which the table keeps a row: the newest."""


@dataclass(frozen=True, slots=True)
class RunsTold:
    """Runs have changed, or are new; `full`: these are all that the daemon tells of."""

    runs: tuple[RunSummary, ...]
    full: bool = False


@dataclass(frozen=True, slots=True)
class RunShown:
    """A run with its steps and attempts, as it is now."""

    run: RunDocument


@dataclass(frozen=True, slots=True, order=True)
class Runnable:
    """A job, or an asset, that can be run."""

    location: str
    is_asset: bool
    name: str
    repository: str

    def __str__(self) -> str:
        return f"{self.location}/{self.name}"


@dataclass(frozen=True, slots=True)
class TypedRun:
    """What is typed of a run that is to be started. `config`: the run config of Dagster's, JSON."""

    names: tuple[str, ...]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    config: str | None

    @property
    def unfit(self) -> str | None:
        """In one line what is wrong with it."""
        if self.config is None or isinstance(self._read(), dict):
            return None
        return "--run-config takes an object of JSON here; `codelocd run` reads files, too"

    def given(self) -> dict[str, Any]:
        """The parameters of the method `run` for all but the names."""
        found = {"params": dict(self.params), "tags": dict(self.tags), "config": self._read()}
        return {name: each for name, each in found.items() if each}

    def _read(self) -> Any:
        try:
            return json.loads(self.config or "null")
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Startable:
    """What can be run."""

    found: tuple[Runnable, ...]


@dataclass(frozen=True, slots=True)
class RunClicked:
    """The row of a run was clicked on; `twice` in a row."""

    run: int
    twice: bool = False


@dataclass(frozen=True, slots=True)
class RunAct:
    """Have the daemon do something with a run; `what` says of what, for people."""

    verb: RunVerb
    what: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AskStartable:
    """Ask what can be run; `Startable` is the answer."""


@dataclass(frozen=True, slots=True)
class RunQuestion:
    """What is done to a run if the answer is yes; `kill`: at once."""

    verb: Literal["run_cancel", "run_retry"]
    run: int
    kill: bool = False


def run_output(run: int | None) -> str | None:
    """Where `Printed` has a location: no location is called so."""
    return None if run is None else f"run {run}"
