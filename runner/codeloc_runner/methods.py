"""The runner's RPC methods: `hello ping snapshot describe stacks stop`."""

from __future__ import annotations

import os
import sys

from .latch import Latch
from .messages import CallError
from .stacks import all_stacks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional

    from .outcome import Definition, Outcome

PROTOCOL = 1
SETTLE_SECONDS = 0.25
IDENTITY = ("kind", "name", "repository", "key")
PARAMS = {
    "hello": (),
    "ping": (),
    "snapshot": (),
    "describe": ("kind", "name", "repository"),
    "stacks": (),
    "stop": (),
}


class Methods:
    """Answers from any thread, before, during and after the load."""

    __slots__ = ("_loaded", "_outcome", "_stopping")

    def __init__(self) -> None:
        self._loaded = Latch()
        self._stopping = Latch()
        self._outcome: Optional[Outcome] = None

    def loaded(self, outcome: Outcome) -> None:
        """The load has ended: whoever waits for the snapshot gets it."""
        self._outcome = outcome
        self._loaded.open()

    def wait_for_stop(self) -> None:
        """For the main thread, where Python runs the signal handlers of user code.

        A signal that comes between the last look and the wait does not end the wait. The first
        answers after a load are when signals are likeliest: so there is a short wait before.
        """
        if not self._stopping.wait(SETTLE_SECONDS):
            self._stopping.wait()

    def would_wait(self, method: str) -> bool:
        return method == "snapshot" and not self._loaded.is_open

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """The result of one call. Raises CallError."""
        known = PARAMS.get(method)
        if known is None:
            raise CallError("unknown", f"no method {method!r}; there are {', '.join(PARAMS)}")
        for name in params:
            if name not in known:
                raise CallError("usage", f"{method} takes no parameter {name!r}")
        return getattr(self, "_" + method)(**params)

    def answered(self, method: str) -> None:
        """Called when the answer is out, or cannot be delivered any more."""
        if method != "stop":
            return
        if self._outcome is None:
            os._exit(0)  # the main thread is in user code: nothing there can be ended in order
        if not self._stopping.is_open:
            self._stopping.open()

    def _hello(self) -> Dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "python": python_version(),
            "methods": list(PARAMS),
        }

    def _ping(self) -> Dict[str, Any]:
        return {}

    def _stop(self) -> Dict[str, Any]:
        return {}

    def _stacks(self) -> Dict[str, Any]:
        return {"threads": all_stacks()}

    def _snapshot(self) -> Dict[str, Any]:
        self._loaded.wait()
        outcome = self._served()
        return {
            "ok": outcome.problem is None,
            "body": outcome.body,
            "imports": outcome.imports,
        }

    def _describe(
        self,
        kind: Optional[str] = None,
        name: Optional[str] = None,
        repository: Optional[str] = None,
    ) -> Any:
        outcome = self._served()
        if outcome.problem is not None:
            raise CallError("down", outcome.problem["summary"])
        if name is not None:
            return the_one(outcome.definitions, kind, name, repository)
        return {
            "definitions": outcome.counts(),
            "loader": outcome.loader,
            "python": python_version(),
            "pid": os.getpid(),
            "load_seconds": outcome.seconds,
            "sources": len(outcome.sources),
        }

    def _served(self) -> Outcome:
        if self._outcome is None:
            raise CallError("busy", "the location's code is still loading")
        return self._outcome


def the_one(
    definitions: List[Definition], kind: Optional[str], name: str, repository: Optional[str]
) -> Definition:
    """The definition that is meant. Raises CallError if there is none, or several."""
    matches = [
        one
        for one in definitions
        if one["name"] == name
        and kind in (None, one["kind"])
        and repository in (None, one["repository"])
    ]
    if not matches:
        raise CallError("unknown", f"no {kind or 'definition'} {name!r} in this location")
    if len(matches) > 1:
        told = [{part: one.get(part) for part in IDENTITY} for one in matches]
        raise CallError("usage", f"{len(matches)} definitions match {name!r}", {"matches": told})
    return matches[0]


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))
