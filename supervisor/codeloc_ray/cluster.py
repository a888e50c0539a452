"""The connection to a Ray cluster: its nodes, the actors on them, and the head's table."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from codeloc_ray import asking, host
from codeloc_ray.connecting import explained, silent
from codeloc_ray.errors import EngineError
from codeloc_ray.head_table import HeadTable
from codeloc_ray.node.store import is_alive
from codeloc_ray.placement import NodeChoice, NodeView, Wish, choose

CONNECT = 40.0
"""Seconds for Ray to connect: it tries for longer itself, and says nothing meanwhile."""
PROBE = 8.0
CONNECTS = 4.0
"""Seconds for a node to take a connection: a lost packet is sent again after 1 and after 3."""
FACTS = 30.0
"""Seconds for what is only asked by `engine check`: a node may have to start a process for it."""

T = TypeVar("T")


class Cluster:
    """One connection, for as long as this process lives. `settings` are the daemon's."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.head = HeadTable(self.asked)
        self.drained: set[str] = set()
        self.silent: set[str] = set()
        """Nodes that a runner was lost on. Ray itself takes a minute to say that of one whose cable
        is cut."""
        self._names: dict[str, str] = {}
        self._since: dict[str, float] = {}

    # --- connecting ----------------------------------------------------------------------------

    async def connect(self) -> None:
        """Raises EngineError, one line for each thing that can be wrong."""
        try:
            await asyncio.wait_for(asyncio.to_thread(self._init), CONNECT)
        except TimeoutError:
            raise silent(self.settings) from None
        except Exception as failure:  # noqa: BLE001  Ray raises whatever it likes
            raise await asyncio.to_thread(explained, failure, self.settings) from None

    def _init(self) -> None:
        raylet = asking.own_raylet(self.settings["address"])
        ray.init(
            address=self.settings["address"],
            # Left to itself Ray may take the head's: then no node reaches this process.
            _node_ip_address=asking.node_address(raylet[1]) if raylet is not None else None,
            namespace=self.settings.get("namespace") or "codelocd",
            log_to_driver=False,
            logging_level="ERROR",
        )
        ray.cloudpickle.register_pickle_by_value(host)
        for name in (__name__, is_alive.__module__):
            ray.cloudpickle.register_pickle_by_value(sys.modules[name])

    # --- nodes ---------------------------------------------------------------------------------

    async def nodes(self, runners: Mapping[str, int]) -> list[NodeView]:
        """Every node that the head knows, the lost ones included; `runners` on each, by its id.
        Raises EngineError where the head does not answer."""
        return await self.asked(self._nodes, runners)

    def _nodes(self, runners: Mapping[str, int]) -> list[NodeView]:
        from ray._private import state

        free = state.available_resources_per_node()
        known = [each for each in ray.nodes() if each["Alive"] or each["NodeID"] in self._names]
        hosts = [each["NodeManagerHostname"] for each in known if each["Alive"]]
        found = []
        for each in known:
            number, name = each["NodeID"], each["NodeManagerHostname"]
            if hosts.count(name) > 1:
                name = each["NodeManagerAddress"]
            self._names[number] = name
            self._since.setdefault(number, time.time())
            state_now = "draining" if number in self.drained else "up"
            found.append(
                NodeView(
                    number,
                    name,
                    each["NodeManagerAddress"],
                    each.get("Labels") or {},
                    each.get("Resources") or {},
                    free.get(number, {}),
                    runners.get(number, 0),
                    state_now if each["Alive"] and number not in self.silent else "lost",
                    int(each.get("NodeManagerPort") or 0),
                )
            )
        return found

    async def chosen(
        self, runners: Mapping[str, int], wish: Wish, avoided: Collection[str]
    ) -> NodeChoice:
        """The node for a runner, which answers now: Ray may take a minute to say that one is gone,
        and one that has no runners would be chosen over and over. Raises EngineError."""
        while True:
            choice = choose(await self.nodes(runners), wish, avoided)
            if await self._reaches(choice.node):
                return choice
            self.silent.add(choice.node.id)

    async def _reaches(self, node: NodeView) -> bool:
        """Whether Ray's process on it takes connections: its kernel does, however busy it is."""
        if not node.port:
            return True
        try:
            connecting = asyncio.open_connection(node.address, node.port)
            _, writer = await asyncio.wait_for(connecting, CONNECTS)
        except OSError:
            return False
        writer.close()
        return True

    def name(self, node: str) -> str:
        return self._names.get(node, node[:8])

    def document(self, node: NodeView, facts: Mapping[str, Any] | None) -> dict[str, Any]:
        """A node as the daemon is told it."""
        words = {"CPU": "cpu", "GPU": "gpu"}
        resources = {
            words.get(name, name): {"total": amount, "free": node.free.get(name, 0.0)}
            for name, amount in node.total.items()
            if not name.startswith(("node:", "object_store"))
        }
        known = facts or {}
        return {
            "id": node.id,
            "name": node.name,
            "address": node.address,
            "state": node.state,
            "since": self._since.get(node.id, 0.0),
            "labels": dict(node.labels),
            "resources": resources,
            "runners": node.runners,
            "pythons": known.get("pythons"),
            "clock_skew": known.get("clock_skew"),
            "version": known.get("version"),
            "python": known.get("python"),
        }

    async def facts(self, node: str, package: bytes) -> dict[str, Any] | None:
        """What a node says of itself; None where it does not answer."""
        try:
            said: dict[str, Any] = await self._task(node, _facts, package, seconds=FACTS)
            began = time.time()  # the process that answers is there by now
            theirs = float(await self._task(node, _now))
        except Exception:  # noqa: BLE001  it does not answer, for whatever reason
            return None
        return {**said, "clock_skew": clock_skew(began, theirs, time.time())}

    async def is_alive(self, node: str, store: str, lock: str) -> bool | None:
        """Whether a process on the node has that lock; None where the node does not tell."""
        try:
            return bool(await self._task(node, is_alive, store, lock))
        except Exception:  # noqa: BLE001  it does not answer, for whatever reason
            return None

    async def _task(
        self, node: str, work: Callable[..., Any], *arguments: Any, seconds: float = PROBE
    ) -> Any:
        pinned = NodeAffinitySchedulingStrategy(node, soft=False)
        remote = ray.remote(work).options(num_cpus=0, max_retries=0, scheduling_strategy=pinned)
        return await asyncio.wait_for(remote.remote(*arguments), seconds)

    # --- actors --------------------------------------------------------------------------------

    def create(self, name: str, choice: NodeChoice, arguments: Sequence[Any]) -> Any:
        """A detached actor on the node. It is not there yet when this returns."""
        reserved = dict(choice.reserved)
        options = {
            "num_cpus": reserved.pop("CPU", 0),
            "num_gpus": reserved.pop("GPU", 0),
            "memory": reserved.pop("memory", None),
            "resources": reserved or None,
        }
        pinned = NodeAffinitySchedulingStrategy(choice.node.id, soft=False)
        return (
            ray.remote(host.Host)
            .options(
                name=name,
                lifetime="detached",
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=1000,
                scheduling_strategy=pinned,
                **options,
            )
            .remote(*arguments)
        )

    async def actors(self, prefix: str) -> dict[str, Any]:
        """The actors in the namespace whose names begin so."""

        def found() -> dict[str, Any]:
            names = [each for each in ray.util.list_named_actors() if each.startswith(prefix)]
            handles = {}
            for name in names:
                try:
                    handles[name] = ray.get_actor(name)
                except ValueError:  # it has ended meanwhile
                    continue
            return handles

        return await self.asked(found)

    async def node_of(self, actor: Any) -> str:
        """The id of the node that an actor was placed on; "" where the head has forgotten it."""

        def read() -> str:
            from ray._private import state

            known = state.actors(actor._actor_id.hex()) or {}
            return str((known.get("Address") or {}).get("NodeID") or "")

        return await self.asked(read)

    def kill(self, actor: Any) -> None:
        """End an actor whose runner has ended. One that ended by itself Ray would call a failure,
        with a page of causes."""
        with contextlib.suppress(Exception):  # it is gone, which was asked for
            ray.kill(actor, no_restart=True)

    async def asked(self, work: Callable[..., T], *arguments: Any, seconds: float = 10.0) -> T:
        """What `work` finds, in a thread. Raises EngineError where the head does not answer."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(work, *arguments), seconds)
        except TimeoutError:
            why = f"no answer within {seconds:g} s"
        except Exception as failure:  # noqa: BLE001  Ray raises whatever it likes
            why = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
        what = f"the cluster's head at {self.settings['address']} does not answer: {why}"
        raise EngineError("down", what, "unreachable")


def _now() -> float:
    """On a node."""
    import time

    return time.time()


def clock_skew(began: float, theirs: float, ended: float) -> float:
    """By how many seconds a clock is ahead at least that was read between two looks at this one."""
    return round(max(0.0, theirs - ended) + min(0.0, theirs - began), 3)


def _facts(package: bytes) -> dict[str, Any]:
    """On a node. `package`: this one, zipped."""
    import os
    import sys
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(package)
        file.flush()
        sys.path.insert(0, file.name)
        try:
            from codeloc_ray.node import facts

            found: dict[str, Any] = facts.facts()
        finally:
            sys.path.remove(file.name)
    return {**found, "pid": os.getpid()}
