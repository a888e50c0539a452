"""Brings a location to a node: a host there, its environment, its code, and its runner."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from ray.exceptions import RayError

from codeloc_ray.cluster import Cluster
from codeloc_ray.contents import Manifest
from codeloc_ray.errors import EngineError
from codeloc_ray.node.head import older
from codeloc_ray.placement import Wish
from codeloc_ray.remote import RemoteRunner, remember
from codeloc_ray.shipping import Shipping

HOST_UP = 60.0
"""Seconds for a host to come up: Ray may have to start a worker for it, which takes a second."""
STORE = "~/.local/share/codelocd-node"
ENTRY = PurePosixPath("codeloc_runner", "__main__.py")
CHILDREN = PurePosixPath("codeloc_runner", "children")


class Starting:
    """`runners` by their names; those that are started here are added."""

    def __init__(
        self,
        cluster: Cluster,
        settings: Mapping[str, Any],
        runners: dict[str, RemoteRunner],
        notify: Callable[..., None],
    ) -> None:
        self.shipping = Shipping(settings["packages"], settings["bundle"])
        self._cluster = cluster
        self._settings = settings
        self._runners = runners
        self._notify = notify
        self._prefix = f"codelocd:{settings['owner']}:"
        self._placing = asyncio.Lock()
        self._under_way: dict[str, asyncio.Task[Any]] = {}
        self._epochs: dict[str, int] = {}
        self._environments: dict[str, dict[str, Any]] = {}

    async def prepare(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The environment where the runner will be. Raises EngineError."""
        return await self._alone(params["runner"], self._prepare(params))

    async def start(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The runner. Raises EngineError."""
        return await self._alone(params["runner"], self._start(params))

    async def run(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A one-shot command, to its end. Raises EngineError."""
        return await self._alone(params["runner"], self._run(params))

    def cancel(self, runner: str) -> None:
        """Give up what is being started."""
        if (task := self._under_way.get(runner)) is not None:
            task.cancel()

    async def _alone(
        self, runner: str, work: Coroutine[Any, Any, dict[str, Any]]
    ) -> dict[str, Any]:
        """One thing at a time for each runner; when it is given up its host goes, too."""
        if (before := self._under_way.get(runner)) is not None:
            await asyncio.wait([before])
        task = self._under_way[runner] = asyncio.ensure_future(work)
        try:
            said: dict[str, Any] = await task
            return said
        except asyncio.CancelledError:
            await self._discard(runner)
            raise EngineError("down", f"{runner}: its start was given up") from None
        except EngineError:
            await self._discard(runner)
            raise
        finally:
            if self._under_way.get(runner) is task:
                del self._under_way[runner]

    async def _discard(self, runner: str) -> None:
        """End its host. One that cannot be reached after it was asked to start the runner is waited
        for: until it is fenced no other one of the location is started."""
        remote = self._runners.get(runner)
        if remote is None or remote.start is not None or remote.over.done():
            return
        if remote.lost is None:
            await remote.close()
        if not remote.over.done() and remote.may_run:
            remote.wait_for()
        else:
            self._runners.pop(runner, None)

    # --- parts ---------------------------------------------------------------------------------

    async def _prepare(self, params: Mapping[str, Any]) -> dict[str, Any]:
        remote = await self._hosted(params)
        said = await self._environment(remote, params, await self._code(params))
        return {**said, "node": self._cluster.name(remote.node)}

    async def _start(self, params: Mapping[str, Any]) -> dict[str, Any]:
        known = self._runners.get(params["runner"])
        if known is not None and known.start is not None:
            return dict(known.start)
        remote = await self._hosted(params)
        code = await self._code(params)
        if "problem" in (said := await self._environment(remote, params, code)):
            await self._discard(params["runner"])
            return said
        root, bundle = await self._sent(remote, code)
        program = {
            name: each for name, each in params["program"].items() if name != "start_timeout"
        }
        remote.may_run = True
        started = await remote.ask(
            "start",
            order=program,
            variables=params["variables"],
            root=root,
            entry=f"{bundle}/{ENTRY}",
        )
        tidying = asyncio.ensure_future(remote.ask("prune"))
        tidying.add_done_callback(lambda done: done.cancelled() or done.exception())
        return remote.began_there({**started, "environment": said["environment"]})

    async def _run(self, params: Mapping[str, Any]) -> dict[str, Any]:
        remote = await self._hosted(params)
        code = await self._code(params)
        if "problem" in (said := await self._environment(remote, params, code)):
            await self._discard(params["runner"])
            return said
        if code is not None:  # a tree of its own: what it writes is no other's
            code = replace(code, name=f"{code.name}-{secrets.token_hex(8)}")
        root, bundle = await self._sent(remote, code)
        order = {name: params[name] for name in ("argv", "working_directory", "outside")}
        try:
            started = await remote.ask(
                "run",
                order=order,
                variables=params["variables"],
                root=root,
                children=f"{bundle}/{CHILDREN}",
            )
            if unfit := started.get("unfit"):
                return {**unfit, "signal": None}
            remote.began_there({**started, "environment": said["environment"]})
            node = self._cluster.name(remote.node)
            self._notify("running", runner=remote.runner, node=node)
            return dict(await asyncio.shield(remote.over))
        finally:
            if not remote.over.done():
                await remote.close()
            self._runners.pop(params["runner"], None)

    async def _code(self, params: Mapping[str, Any]) -> Manifest | None:
        """None where the nodes see the same folders."""
        if params["code"]["source"] == "shared":
            return None
        return await self.shipping.code(params["code"], params.get("program"))

    async def _environment(
        self, remote: RemoteRunner, params: Mapping[str, Any], code: Manifest | None
    ) -> dict[str, Any]:
        if (known := self._environments.get(remote.runner)) is not None:
            return known
        _, tools = await self.shipping.own()
        specification, described = params["specification"], ""
        wanted = [tools]
        if code is not None:
            wanted.append(await self.shipping.described(specification, params["inputs"], code))
        folders = await self.shipping.send(remote.node, remote.ask, wanted)
        if code is not None:
            described = folders[1]
        said: dict[str, Any] = await remote.ask(
            "prepare", specification=specification, described=described, tools=folders[0]
        )
        if "environment" in said:
            self._environments[remote.runner] = said
            remote.over.add_done_callback(lambda _: self._environments.pop(remote.runner, None))
        return said

    async def _sent(self, remote: RemoteRunner, code: Manifest | None) -> tuple[str, str]:
        """What stands before the user's paths on the node, and the runners' bundle there."""
        bundle, _ = await self.shipping.own()
        if code is None:
            return "", (await self.shipping.send(remote.node, remote.ask, [bundle]))[0]
        folders = await self.shipping.send(remote.node, remote.ask, [bundle, code])
        return folders[1], folders[0]

    # --- its host ------------------------------------------------------------------------------

    async def _hosted(self, params: Mapping[str, Any]) -> RemoteRunner:
        """The host of this runner, made where there is none."""
        runner = params["runner"]
        known = self._runners.get(runner)
        if known is not None and not known.over.done():
            return known
        await self._check_epoch(params)
        async with self._placing:
            remote = await self._place(params)
        remember(self._runners, remote)
        try:
            said = await remote.ask("state", HOST_UP)
        except EngineError as failure:
            self._cluster.kill(remote.actor)
            del self._runners[runner]
            told = f"no host came up on {self._cluster.name(remote.node)}: {failure.message}"
            raise EngineError("busy", told, "full") from None
        remote.listen(said["store"])
        return remote

    async def _check_epoch(self, params: Mapping[str, Any]) -> None:
        """Raises EngineError for a start that is out of date, or that comes too early."""
        runner, location, epoch = params["runner"], params["location"], params.get("epoch")
        if not runner.rpartition(":")[2].isdigit() or epoch is None:
            return
        newest = self._epochs.get(location)
        if newest is None:
            newest = (await self._cluster.head.epochs(self._prefix)).get(location, 0)
        if epoch < newest:
            raise older(location, epoch, newest)
        for each in self._runners.values():
            if each.location == location and each.lost is not None and not each.over.done():
                why = f"{each.lost['why']}, and its runner may still live; it waits for the fence"
                raise EngineError("busy", why, "lost", until=each.lost["until"])
        if epoch != newest:
            await self._cluster.head.note_epoch(f"{self._prefix}{location}", epoch)
        self._epochs[location] = epoch

    async def _place(self, params: Mapping[str, Any]) -> RemoteRunner:
        runner = params["runner"]
        beside = self._runners.get((params.get("placement") or {}).get("beside") or "")
        wish = Wish.of(params.get("placement"), beside.node if beside is not None else None)
        counts: dict[str, int] = {}
        avoided = set()
        for each in self._runners.values():
            if not each.over.done():
                counts[each.node] = counts.get(each.node, 0) + 1
                avoided |= {each.node} if each.lost is not None else set()
        choice = await self._cluster.chosen(counts, wish, avoided)
        own = {
            "owner": self._settings["owner"],
            "location": params["location"],
            "file_name": safe_name(params["location"]),
            "runner": runner,
            "epoch": params.get("epoch") or 0,
            "epochs": f"{self._prefix}{params['location']}",
            "lock_name": safe_name(runner, self._prefix),
            "store": self._settings.get("store") or STORE,
            "fence": float(self._settings["fence"]),
            "orphan_timeout": float(self._settings["orphan_timeout"]),
        }
        arguments = [self.shipping.archive, self.shipping.archive_digest, own]
        try:
            actor = await self._cluster.asked(
                self._cluster.create, self._prefix + runner, choice, arguments
            )
        except RayError as failure:
            raise EngineError("down", f"no host can be started: {failure}") from None
        remote = RemoteRunner(
            self._cluster, runner, actor, choice.node.id, own["lock_name"], self._notify
        )
        remote.placement_why = choice.why
        remote.may_run = False
        return remote


def safe_name(text: str, prefix: str = "") -> str:
    """A name of its own for a file or a lease: readable, of letters that all systems take."""
    digest = hashlib.blake2b(f"{prefix}{text}".encode(), digest_size=8).hexdigest()
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:80] + "-" + digest
