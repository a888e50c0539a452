"""A host's methods: one location's runner, from its environment to its last output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from codeloc_ray.errors import EngineError
from codeloc_ray.node import environments, facts, head, talk
from codeloc_ray.node.delivery import Deliveries, PreparedEnvironment
from codeloc_ray.node.lease import HeadLease
from codeloc_ray.node.paths import Stripped
from codeloc_ray.node.process import Locks, Supervised
from codeloc_ray.node.programs import UnfitProgram, begun
from codeloc_ray.node.store import NodeStore
from codeloc_ray.node.usage import UsageMeter

BEAT = 5.0
"""Seconds after which a poll is answered although there is nothing to tell."""
ABSENT = 15.0
"""Seconds without a poll after which the daemon counts as gone: what is not kept ends. Several
polls: one is under way for as long as there is nothing to tell, so no `orphan_timeout` is less."""
LINGER = 600.0
"""Seconds for which a host waits for its order to start."""


class Supervisor:
    """`settings`: the names of owner, location and runner, its `epoch`, what the newest is noted by
    in the head's table (`epochs`), the node's store, `fence`, `orphan_timeout`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._store = NodeStore(settings["store"])
        self._began = self._polled = time.monotonic()
        self._state: dict[str, Any] = {
            "record": None,
            "serves": False,
            "start": None,
            "began": None,
        }
        self._process: Supervised | None = None
        self._locks: Locks | None = None
        self._stripped = Stripped("")
        self._news = asyncio.Event()
        self._deliveries = Deliveries(self._store)
        self._environment = PreparedEnvironment(self._store, self._news.set)
        self._meter = UsageMeter()
        renew = partial(head.renew, settings["lock_name"])
        self._lease = HeadLease(renew, settings["fence"], self._fenced, self._renewed)
        self._watching: asyncio.Task[None] | None = None
        self._ending = False

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """`{"result": …}` or `{"error": …}`."""
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        try:
            return {"result": await self._method(method)(**params)}
        except EngineError as failure:
            return {"error": failure.document()}
        except OSError as failure:
            told = f"{method} on {os.uname().nodename}: {failure}"
            return {"error": EngineError("internal", told, errno=failure.errno).document()}
        except Exception as failure:  # noqa: BLE001  the host goes on
            told = f"{method} on {os.uname().nodename}: {type(failure).__name__}: {failure}"
            return {"error": EngineError("internal", told.splitlines()[0]).document()}

    def _method(self, name: str) -> Callable[..., Awaitable[Any]]:
        parts = (self, self._environment, self._deliveries)
        part = next(each for each in parts if hasattr(each, f"do_{name}"))
        found: Callable[..., Awaitable[Any]] = getattr(part, f"do_{name}")
        return found

    # --- the runner ----------------------------------------------------------------------------

    async def do_start(
        self, order: dict[str, Any], variables: dict[str, Any], root: str, entry: str
    ) -> dict[str, Any]:
        """Idempotent. `root`: what stands before the user's paths; `entry`: the runner's."""
        if self._state["start"] is not None:
            return dict(self._state["start"])
        environment = self._environment.found
        locks = self._taken_locks()
        self._stripped = Stripped(root)
        process = Supervised(root, self._news.set)
        own = self._variables(variables, environment, root)
        command = [environment["executable"], entry, self._settings["location"]]
        place = {**order, "variables": own, "working_directory": root + order["working_directory"]}
        settings = {**_moved(place, root), "parent": os.getpid()}
        try:
            await asyncio.to_thread(head.refuse_older, self._settings)
            self._lease.begin()
            process.start_runner(settings, command, locks)
        except BaseException:
            locks.close()
            self._locks = None
            raise
        self._follow(process)
        return self._told(process, environment)

    async def do_run(
        self,
        order: dict[str, Any],
        variables: dict[str, Any],
        root: str,
        children: str,
    ) -> dict[str, Any]:
        """A one-shot command, which sees the environment's own programs first. `unfit`: why it is
        not run, and the exit status that stands for that."""
        environment = self._environment.found
        own = self._variables(variables, environment, root)
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [children, own.get("PYTHONPATH")]))
        self._stripped = Stripped(root)
        place = {**order, "working_directory": root + order["working_directory"]}
        process = Supervised(root, self._news.set)
        self._lease.begin()
        try:
            begun(self._settings["location"], place, own, environment, process)
        except UnfitProgram as unfit:
            self._lease.release()
            return {"unfit": {"status": unfit.status, "why": self._stripped.value(unfit.why)}}
        self._follow(process)
        return self._told(process, environment)

    async def do_give(self, data: bytes, last: bool) -> None:
        if self._process is None:
            raise EngineError("down", "it was not started")
        await self._process.give(data, last)

    def _taken_locks(self) -> Locks:
        own = self._settings
        serving = self._store.path("serving", own["owner"], f"{own['file_name']}.lock")
        self._locks = Locks(serving, self._store.path("alive", own["lock_name"]))
        return self._locks

    def _variables(
        self, asked: Mapping[str, Any], environment: Mapping[str, Any], root: str
    ) -> dict[str, str]:
        own = environments.variables(os.environ, asked, environment)
        moved = environments.editable(environment, self._environment.described, root)
        searched = [*moved, *filter(None, [own.get("PYTHONPATH")])]
        return {**own, "PYTHONPATH": os.pathsep.join(searched)} if searched else own

    def _told(self, process: Supervised, environment: Mapping[str, Any]) -> dict[str, Any]:
        self._state["began"] = time.time()
        told = self._state["start"] = {
            "pid": process.pid,
            "start_method": "spawn",
            "executable": environment["executable"],
            "environment": environment,
        }
        return told

    def _follow(self, process: Supervised) -> None:
        self._process = process
        process.renewed(self._lease.until)
        self._meter.begin(process.pid)

    async def do_call(self, frame: bytes, timeout: float | None, method: str) -> bytes:
        process = self._process
        if process is None:
            raise EngineError("down", "the runner was not started")
        answer = await talk.answered(
            process.socket_path, frame, timeout, lambda: process.exited.done()
        )
        if method in ("serve", "hand_over"):
            said = talk.result_of(answer)
            self._state["serves"] = (
                method == "serve" and isinstance(said, dict) and said.get("serves") is not False
            )
        return self._stripped.frame(answer)

    async def do_signal(self, number: int, group: bool) -> None:
        if self._process is not None:
            self._process.signal(number, group)

    async def do_kill(self) -> None:
        """Returns when it is gone."""
        self._environment.cancel()
        if self._process is not None:
            self._process.kill()
            await asyncio.wait([self._process.exited])

    async def do_end(self, grace: float) -> None:
        if self._process is not None:
            await self._process.end(grace)

    # --- what is told --------------------------------------------------------------------------

    async def do_state(self) -> dict[str, Any]:
        """For a bridge that has found this host: it is told all that no bridge has written."""
        self._polled = time.monotonic()
        streams = self._process.streams if self._process is not None else {}
        for stream in streams.values():
            stream.again()
        offsets = {name: stream.told for name, stream in streams.items()}
        return {**self._state, "offsets": offsets, "store": self._store.root}

    async def do_keep(self, record: Any) -> None:
        self._state["record"] = record
        self._state["kept"] = True

    async def do_let_go(self) -> None:
        self._state["kept"] = False

    async def do_heard(self, offsets: Mapping[str, int]) -> None:
        streams = self._process.streams if self._process is not None else {}
        for name, offset in offsets.items():
            if name in streams:
                streams[name].heard(offset)

    async def do_facts(self) -> dict[str, Any]:
        return facts.facts()

    async def do_poll(self) -> dict[str, Any]:
        """What there is to tell, as soon as there is something."""
        self._polled = time.monotonic()
        said = self._to_tell()
        if not said["events"]:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), BEAT)
            said = self._to_tell()
        self._polled = time.monotonic()
        return said

    def _to_tell(self) -> dict[str, Any]:
        told: list[tuple[Any, ...]] = [("progress", each) for each in self._environment.progress]
        self._environment.progress.clear()
        process, usage = self._process, self._meter.due()
        if usage is not None:
            told.append(("usage", usage))
        if process is not None:
            for name, stream in process.streams.items():
                while (piece := stream.next()) is not None:
                    told.append(("output", name, *piece))
                    if len(told) > 16:
                        return {"events": told, "over": False}
            if process.is_told:
                told.append(("exited", *process.exited.result()))
        return {"events": told, "over": process is not None and process.is_told}

    # --- ends ----------------------------------------------------------------------------------

    async def do_close(self) -> None:
        """The host ends, and nothing of it is left. Its bridge has Ray end the process; where it
        does not come to that, the process ends itself."""
        self._lease.release()
        await self.do_kill()
        self._ending = True
        if self._locks is not None:
            os.unlink(self._locks.alive_path)
        asyncio.get_running_loop().call_later(1.0, os._exit, 0)

    async def _watch(self) -> None:
        """End what no daemon comes back to."""
        while not self._ending:
            await asyncio.sleep(1.0)
            absent = time.monotonic() - self._polled
            patience = ABSENT
            if self._state.get("kept"):
                patience = max(ABSENT, self._settings["orphan_timeout"])
            unused = self._process is None and not self._environment.is_building
            if (unused and time.monotonic() - self._began > LINGER) or absent > patience:
                await self.do_close()

    def _renewed(self, until: float) -> None:
        if self._process is not None:
            self._process.renewed(until)

    def _fenced(self) -> None:
        if self._process is not None:
            self._process.kill()


def _moved(order: dict[str, Any], root: str) -> dict[str, Any]:
    target = dict(order["target"])
    if target["kind"] == "python_file":
        target["value"] = root + target["value"]
    return {**order, "target": target}
