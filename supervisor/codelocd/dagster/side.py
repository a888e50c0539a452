"""Dagster's side of what a runner serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.links import Links
from codelocd.dagster.servers import Servers, Warm
from codelocd.launchers import RunnerSpec
from codelocd.model import Cold


@dataclass(frozen=True, slots=True)
class Side:
    """`news(spec)` is told after Dagster was led to a server."""

    spec: RunnerSpec
    warm: Warm
    servers: Servers
    links: Links
    news: Callable[[RunnerSpec], None]

    def start(self, cold: Cold | None) -> Awaitable[CodeServer]:
        """`cold`: why the server shall have no warm start. Raises OSError."""
        return self.servers.start(replace(self.spec, cold=cold))

    def served(self, server: CodeServer) -> None:
        """Dagster is led to `server`; the one before ends when its runs have."""
        self.links.lead(self.spec.location, server)
        self.news(self.spec)

    def released(self, server: CodeServer) -> None:
        """The location has no more use for it."""
        self.links.release(self.spec.location, server)

    def suspect(self, cold: Cold) -> None:
        """A load failed after a fork, and then went well without one."""
        self.warm.suspect(self.spec, cold.suspicion)

    def say(self, text: str) -> None:
        """One line beside those of the location."""
        self.spec.output("stderr", f"{text}\n".encode())
