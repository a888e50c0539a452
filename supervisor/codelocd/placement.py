"""What a location asks of the engine that places it, and where that engine is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from codeloc_envs import Request

LOCAL: Literal["local"] = "local"
"""The engine of a location that runs on the daemon's machine, as all do by default."""

EngineKind = Literal["local", "ray", "other"]
SourceWay = Literal["content", "shared"]
"""How code reaches a node: its content is sent there, or it has the same folders."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a runner needs of a node: processors, bytes of memory, graphics processors, and what
    the nodes themselves say that they have."""

    cpu: float = 0.0
    memory: int = 0
    gpu: float = 0.0
    custom: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {
            "cpu": self.cpu,
            "memory": self.memory,
            "gpu": self.gpu,
            "custom": dict(self.custom),
        }


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a location runs: by which engine, with which resources, on nodes with which labels."""

    engine: EngineKind = LOCAL
    resources: Resources = Resources()
    labels: Mapping[str, str] = field(default_factory=dict)
    source: SourceWay = "content"

    @property
    def is_local(self) -> bool:
        """Whether it runs on the daemon's machine, as a child of the daemon."""
        return self.engine == LOCAL


HERE = Placement()


@dataclass(frozen=True, slots=True)
class Tls:
    """The files with which the daemon and the nodes know each other."""

    cert: Path
    key: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The `[engine]` table: the cluster whose nodes run locations.

    `token`: as it stands in the file, `token_file`: the file that has it; one of them. `bridge`:
    the command of another engine's bridge, in the place of Ray's. `redis`: where the cluster's
    head keeps what it knows, for manifests. `environment`: what the bridge runs in; None: one is
    built, with the cluster's Ray. `fence`: seconds without the head after which a node ends its
    runners. `size`: bytes that a location's code may have to be sent.
    """

    kind: EngineKind = LOCAL
    address: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    tls: Tls | None = None
    namespace: str = "codelocd"
    redis: str | None = None
    environment: Request | None = None
    insecure: bool = False
    fence: float = 30.0
    size: int = 256 * 1024 * 1024
    bridge: tuple[str, ...] = ()

    @property
    def is_used(self) -> bool:
        """Whether there is an engine beside the daemon's own machine."""
        return self.kind != LOCAL


NO_ENGINE = EngineSettings()
