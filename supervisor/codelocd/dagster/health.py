"""Whether a code server that lives still answers."""

from __future__ import annotations

from dataclasses import dataclass

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


async def until_down(server: CodeServer, patience: Patience) -> None:
    """Returns when a server that has loaded has ended, or has not answered for too long."""
    missed = 0
    while missed < patience.misses and not await server.gone(patience.interval):
        try:
            await server.ping(patience.answer)
            missed = 0
        except CallFailed:
            missed += 1
