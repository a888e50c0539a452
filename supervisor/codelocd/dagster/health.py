"""Whether a code server that lives still answers."""

from __future__ import annotations

from dataclasses import dataclass

from codelocd import problems
from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.grpc_call import CallFailed


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds between two pings and for each answer, and how many in a row may be missed.

    Generous: a server answers nobody while all its threads evaluate somebody's sensors.
    """

    interval: float = 10.0
    answer: float = 30.0
    misses: int = 3


async def until_down(server: CodeServer, patience: Patience) -> str:
    """What became of a server that has loaded: how it ended, or that it is silent for too long."""
    missed = 0
    while missed < patience.misses:
        if await server.gone(patience.interval):
            return problems.how(await server.exited)
        try:
            await server.ping(patience.answer)
            missed = 0
        except CallFailed:
            missed += 1
    return "no longer answers"
