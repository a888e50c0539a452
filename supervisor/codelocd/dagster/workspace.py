"""The workspace.yaml that Dagster's webserver and daemon read. Pure but for `write`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from codeloc_envs.json_file import replace_text
from codelocd.model import GrpcServer, LocationSpec


def text(links: Mapping[str, Path], external: Iterable[LocationSpec]) -> str:
    """One `grpc_server` for each location by its link, and those that somebody else runs."""
    ours = [_entry({"socket": str(link)}, name) for name, link in sorted(links.items())]
    theirs = [_entry(_address(spec.target), spec.name) for spec in external]
    return yaml.safe_dump({"load_from": [*ours, *theirs]}, allow_unicode=True)


def write(path: Path, content: str) -> bool:
    """Whether it says something new. Readers see the old file or the new one."""
    if path.is_file() and path.read_text("utf-8") == content:
        return False
    replace_text(path, content, mode=0o644)
    return True


def _entry(address: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"grpc_server": {**address, "location_name": name}}


def _address(server: object) -> dict[str, Any]:
    assert isinstance(server, GrpcServer)
    where = {"socket": server.socket} if server.socket else {"port": server.port}
    return {"host": server.host, **where, **({"ssl": True} if server.ssl else {})}
