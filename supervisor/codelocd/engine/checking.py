"""What `codelocd engine check` finds out, without a daemon."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs import Store
from codelocd.engine.engine import BridgeEngine
from codelocd.engine.making import bridge_command, hello_of
from codelocd.engine.nodes import node_status
from codelocd.model import Stream
from codelocd.placement import EngineSettings
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.runners.bundle import lease_bundle
from codelocd.runners.engine import EngineRefuses
from codelocd.runners.environments import Builder

if TYPE_CHECKING:
    from codelocd.documents.answers import CheckedEngine

PATIENCE = 120.0
"""Seconds for the environment of the bridge to be there, and the cluster to be reached."""

LINES = 40
"""Of what the bridge prints."""

SKEW = 1.0
"""Seconds by which a node's clock may differ: times of its lines and of the journal are compared.
"""


async def check(
    settings: EngineSettings, store: Path, note: Callable[[str], None]
) -> CheckedEngine:
    """Reach the cluster through a bridge of its own; `note` takes what the build of its environment
    prints, and what the bridge itself does where nothing else says why it comes to nothing."""
    loop, guardian = asyncio.get_running_loop(), Guardian()
    children = Children(loop, guardian)
    bundle, lease = lease_bundle(store)

    printed: deque[str] = deque(maxlen=LINES)

    def heard(_stream: Stream, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            note(line)

    def kept(_stream: Stream, data: bytes) -> None:
        printed.extend(data.decode(errors="replace").splitlines())

    command = bridge_command(settings, Store(store), Builder(children, store), heard)
    hello = hello_of(settings, f"check-{os.getpid()}", bundle, 0.0)
    engine = BridgeEngine(children, settings, command, hello, kept)
    try:
        found = await _examined(engine)
        if not found["reached"] and not found["refused"]:
            for line in printed:
                note(line)
        return found
    finally:
        await engine.close(leave=False)
        await children.settled()
        children.close()
        guardian.close()
        if lease is not None:
            lease.close()


async def _examined(engine: BridgeEngine) -> CheckedEngine:
    settings, problems, notes = engine.settings, list[str](), list[str]()
    reached = await engine.settled(PATIENCE)
    if not reached:
        problems.append(_why_not(settings.address or "", engine.state.why))
    else:
        try:
            found = await engine.look(deep=True)
            notes = [str(each) for each in found.get("notes") or ()]
            problems += _wrong(engine.nodes)
        except EngineRefuses as refusal:
            problems.append(refusal.problem.summary)
    return {
        "reached": reached,
        "refused": engine.state.refused,
        "problems": problems,
        "notes": notes,
        "engine": engine.about.get("engine"),
        "version": engine.about.get("version"),
        "python": engine.about.get("python"),
        "token": settings.token is not None or settings.token_file is not None,
        "tls": settings.tls is not None,
        "nodes": [node_status(each) for each in engine.nodes],
    }


def _why_not(address: str, why: str) -> str:
    """Why it is out of reach, with the address said once."""
    if address and address in why:
        return why
    return f"the cluster{f' at {address}' if address else ''} is out of reach: {why}"


def _wrong(nodes: list[Mapping[str, Any]]) -> Iterator[str]:
    for node in nodes:
        name, skew = node.get("name") or node.get("id"), node.get("clock_skew")
        if node.get("state") == "lost":
            yield f"node {name} is not heard from; start it again, or take it out of the cluster"
        if skew is not None and abs(skew) > SKEW:
            yield f"the clock of node {name} is {skew:+.1f} s off; let NTP or chrony set it"
        for problem in node.get("problems") or ():
            yield f"node {name}: {problem}"
    if not nodes:
        yield "the cluster has no nodes; start some"
