"""The methods that a runner answers; docs/protocol.md says what each is for."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident

from ..load.sources import frame_text, is_ours, manifest
from .messages import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Dict, List, Mapping, Optional

    from ..load.snapshot import Definition, Outcome
    from ..serving import ServingLock


class OneTimeEvent:
    """Closed until `open`; waiting for it costs nothing until then.

    `threading` is user code's to patch, and costs milliseconds.
    """

    __slots__ = ("_lock", "is_open")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        self.is_open = False

    def open(self) -> None:
        self.is_open = True
        self._lock.release()

    def wait(self, seconds: float = -1) -> bool:
        """Whether it opened within `seconds`; without them it waits for ever."""
        opened = self._lock.acquire(timeout=seconds)
        if opened:
            self._lock.release()
        return opened


MAIN_THREAD = get_ident()
"""This module is first imported by the main thread."""


def all_stacks() -> List[Dict[str, Any]]:
    """What every thread of user code is doing right now, the outermost frame first.

    The runner's own threads and frames are left out. It imports nothing, so it works mid-import.
    """
    stacks = []
    for ident, frame in sys._current_frames().items():
        lines = stack_of(frame)
        if lines or ident == MAIN_THREAD:
            stacks.append({"name": thread_name(ident), "stack": lines})
    return stacks


def stack_of(frame: Optional[FrameType]) -> List[str]:
    entries = []
    while frame is not None:
        code = frame.f_code
        if not is_ours(code.co_filename):
            entries.append(frame_text(code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    return entries[::-1]


def thread_name(ident: int) -> str:
    """As user code called it; its `threading` is looked at, never imported, never locked."""
    if ident == MAIN_THREAD:
        return "MainThread"
    known = getattr(sys.modules.get("threading"), "_active", {})
    return str(getattr(known.get(ident), "name", f"thread {ident}"))


PROTOCOL = 1
SETTLE_SECONDS = 0.25
SERVE_SECONDS = 30.0
"""For the runner before to let go of the lock."""
IDENTITY = ("kind", "name", "repository", "key")
PARAMS = {
    "hello": (),
    "ping": (),
    "snapshot": ("lists",),
    "describe": ("kind", "name", "repository"),
    "stacks": (),
    "serve": (),
    "hand_over": (),
    "manifest": (),
    "stop": (),
}


class Methods:
    """Answers from any thread, before, during and after the load."""

    __slots__ = ("_loaded", "_lock", "_outcome", "_serving", "_stopping")

    def __init__(self, lock: Optional[ServingLock] = None) -> None:
        """`lock`: what it holds while it serves; None for one that never does, as in `check`."""
        self._lock = lock
        self._serving = OneTimeEvent()
        self._loaded = OneTimeEvent()
        self._stopping = OneTimeEvent()
        self._outcome: Optional[Outcome] = None

    def loaded(self, outcome: Outcome) -> None:
        """The load has ended: requests that wait for the snapshot are answered."""
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
        if method == "describe" and self._lock is not None:
            return self._outcome is not None and not self._serving.is_open
        if method == "serve" and self._lock is not None:
            return not self._lock.is_taken()
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
        return {} if self._lock is None or self._lock.renew() else {"serves": False}

    def _serve(self) -> Dict[str, Any]:
        """From now on it serves, unless another process holds the lock of the location."""
        serves = self._lock is None or self._lock.take()
        if serves and not self._serving.is_open:
            self._serving.open()
        return {"serves": serves}

    def _hand_over(self) -> Dict[str, Any]:
        """Another runner serves from now on; this one still answers what was asked of it before."""
        if self._lock is not None:
            self._lock.let_go()
        return {}

    def _manifest(self) -> Any:
        """Of the code that is served: digests by source, sources by module."""
        return manifest(self._served().sources)

    def _stop(self) -> Dict[str, Any]:
        return {}

    def _stacks(self) -> Dict[str, Any]:
        return {"threads": all_stacks()}

    def _snapshot(self, lists: Optional[bool] = None) -> Dict[str, Any]:
        """`lists`: whether many definitions shall come apart from the body."""
        self._loaded.wait()
        outcome = self._served()
        told = {"ok": outcome.problem is None, "imports": outcome.imports}
        if lists and outcome.lists:
            return {**told, "body": outcome.body, "definitions": outcome.lists}
        return {**told, "body": outcome.whole()}

    def _describe(
        self,
        kind: Optional[str] = None,
        name: Optional[str] = None,
        repository: Optional[str] = None,
    ) -> Any:
        outcome = self._served()
        if outcome.problem is not None:
            raise CallError("down", outcome.problem["summary"])
        self._refuse_to_serve_beside_another()
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

    def _refuse_to_serve_beside_another(self) -> None:
        if self._lock is not None:
            self._serving.wait(SERVE_SECONDS)
            if self._lock.is_lost or not self._serving.is_open:
                raise CallError("busy", f"another process holds {self._lock.path}")

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
