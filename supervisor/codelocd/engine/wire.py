"""What a bridge is told, as the wire has it. Pure."""

from __future__ import annotations

from typing import Any

from codelocd.placement import EngineSettings
from codelocd.runners.api import RunnerSpec
from codelocd.runners.engine import EngineOrder
from codelocd.runners.stacks import NUMBER

PROTOCOL = 1
"""The version of the protocol between daemon and bridge (docs/engines.md)."""


def hello(
    settings: EngineSettings, token: str | None, owner: str, bundle: str, orphan_timeout: float
) -> dict[str, Any]:
    """What the bridge needs to reach its cluster. The token is told here and nowhere else."""
    tls = settings.tls
    return {
        "protocol": PROTOCOL,
        "settings": {
            "kind": settings.kind,
            "address": settings.address,
            "token": token,
            "tls": None if tls is None else {n: str(getattr(tls, n)) for n in tls.__slots__},
            "namespace": settings.namespace,
            "redis": settings.redis,
            "insecure": settings.insecure,
            "fence": settings.fence,
            "orphan_timeout": orphan_timeout,
            "owner": owner,
            "bundle": bundle,
        },
    }


def of_place(order: EngineOrder, size: int) -> dict[str, Any]:
    """What `prepare`, `start` and `run` have in common; `size`: bytes that the code may have."""
    placement, beside = order.placement, order.beside
    return {
        "runner": order.runner,
        "location": order.location,
        "epoch": order.epoch,
        "specification": order.specification.to_json(),
        "inputs": [str(each) for each in order.inputs],
        "placement": {
            "resources": placement.resources.to_json(),
            "labels": dict(placement.labels),
            "beside": None if beside is None else f"{order.location}:{beside}",
        },
        "code": {
            "source": placement.source,
            "directory": str(order.directory),
            "files": [str(each) for each in order.files],
            "ignore": list(order.ignore),
            "limit": size,
        },
        "variables": {
            "inherited": dict(order.inherited or {}),
            "configured": dict(order.configured or {}),
        },
    }


def of_program(spec: RunnerSpec) -> dict[str, Any]:
    """The runner itself, as `settings` tells one on this machine."""
    return {
        "target": {"kind": spec.target.kind, "value": spec.target.value},
        "attribute": spec.attribute,
        "working_directory": str(spec.working_directory),
        "start_timeout": spec.start_timeout,
        "nice": spec.nice,
        "open_files": spec.open_files,
        "stacks_signal": NUMBER,
    }
