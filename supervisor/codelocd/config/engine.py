"""The `[engine]` table, and where a location runs: keys, rules, and what becomes of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from codeloc_envs import Request
from codelocd.config.document import Document
from codelocd.config.environment import EnvironmentTable
from codelocd.config.errors import KeyPath, Mistake, UnfitError
from codelocd.config.values import Size, Table, Text, Timeout
from codelocd.placement import LOCAL, EngineSettings, Placement, Resources, Tls

_ENGINE = EngineSettings()

SHORTEST = 32
"""Characters of a token. Ray's own have 64 (https://docs.ray.io, token authentication)."""


LEAST_FENCE = 5.0
"""Seconds. A node asks ten times in that time for a longer lease; a head that pauses for one would
end every runner of the cluster otherwise."""


class ResourcesTable(Table):
    """What a runner takes of a node."""

    cpu: float = Field(default=0.0, ge=0, description="Processors, or parts of one.")
    memory: Size | None = Field(default=None, description="Bytes of memory.")
    gpu: float = Field(default=0.0, ge=0, description="Graphics processors, or parts of one.")
    custom: dict[Text, float] = Field(
        default={}, description="Amounts of what the nodes themselves say that they have."
    )

    @model_validator(mode="after")
    def _are_amounts(self) -> ResourcesTable:
        for name, amount in self.custom.items():
            if not amount > 0:
                raise UnfitError(f"asks for {amount:g} of {name}", "ask for more than 0")
        return self


class NodeTable(Table):
    """Which nodes fit."""

    labels: dict[Text, Text] = Field(default={}, description="Labels that a node must have.")


class PlacedTable(Table):
    """Where a location runs."""

    engine: Literal["local", "ray", "other"] = Field(
        default=LOCAL, description="What places it: this machine, or the cluster of [engine]."
    )
    resources: ResourcesTable | None = Field(
        default=None, description="What it takes of a node; a cluster without that lets it wait."
    )
    node: NodeTable | None = Field(default=None, description="Which nodes may have it.")
    source: Literal["content", "shared"] = Field(
        default="content",
        description="How its code gets there: it is sent, or the node has the same folders.",
    )


class TlsTable(Table):
    """The files of TLS, the same on each node."""

    cert: Text = Field(description="Path of the certificate.")
    key: Text = Field(description="Path of its key.")
    ca: Text = Field(description="Path of the authority's certificate.")


class EngineTable(Table):
    """A cluster whose nodes run locations."""

    kind: Literal["local", "ray", "other"] = Field(
        default=LOCAL, description="Ray, or another engine by its bridge."
    )
    address: Text | None = Field(default=None, description="HOST:PORT of the cluster's head.")
    token: Text | None = Field(default=None, description="The cluster's token.")
    token_file: Text | None = Field(default=None, description="Path of a file that has it.")
    tls: TlsTable | None = Field(default=None, description="The files of TLS.")
    namespace: Text = Field(
        default=_ENGINE.namespace, description="The name under which all of it stands in Ray."
    )
    redis: Text | None = Field(
        default=None, description="HOST:PORT where the head keeps what it knows (Ray's own)."
    )
    environment: EnvironmentTable | None = Field(
        default=None, description="What the bridge runs in; left out, one with Ray is built."
    )
    insecure: bool = Field(
        default=_ENGINE.insecure, description="Whether a cluster without a token is taken."
    )
    fence: Timeout = Field(
        default=_ENGINE.fence,
        description="Without the head for so long, a node ends its runners.",
    )
    size: Size = Field(default=_ENGINE.size, description="Most bytes of a location's code.")
    bridge: list[Text] = Field(
        default=[], description='The command of another engine\'s bridge, with kind = "other".'
    )

    @model_validator(mode="after")
    def _can_be_reached(self) -> EngineTable:
        if self.kind == LOCAL:
            if self.model_fields_set - {"kind"}:
                what = 'has kind = "local"' if "kind" in self.model_fields_set else "says no kind"
                raise UnfitError(what, 'write kind = "ray", or remove the table')
            return self
        if self.kind == "ray":
            self._is_rays()
        if (self.kind == "other") != bool(self.bridge):
            what = "has no bridge" if self.kind == "other" else f"has a bridge beside {self.kind}"
            raise UnfitError(what, 'bridge = ["PROGRAM", …] goes with kind = "other"')
        if self.token is not None and self.token_file is not None:
            raise UnfitError("has token and token_file", "keep one of them")
        return self._with_token()

    def _is_rays(self) -> None:
        if self.address is None:
            raise UnfitError("has no address", 'add address = "HOST:6379", that of the head')
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            what = f"has address = {self.address!r}, which is no HOST:PORT"
            raise UnfitError(what, "add the port of the head, 6379 by default")
        if self.fence < LEAST_FENCE:
            what = f"has a fence of {self.fence:g} s, within which a busy head may not answer"
            raise UnfitError(what, f"ask for {LEAST_FENCE:g} s at least")

    def _with_token(self) -> EngineTable:
        is_told = self.token is not None or self.token_file is not None
        if self.kind == "ray" and not is_told and not self.insecure:
            what = "has no token: who reaches the head's port may run any code on each node"
            remedy = (
                "start the cluster with RAY_AUTH_MODE=token and name its token_file, or say "
                "insecure = true"
            )
            raise UnfitError(what, remedy)
        if self.token is not None and len(self.token) < SHORTEST:
            what = f"has a token of fewer than {SHORTEST} characters"
            raise UnfitError(what, "make one with `openssl rand -hex 32`")
        return self


def engine_settings(
    document: Document, table: EngineTable, environment: Request | None
) -> EngineSettings:
    """`environment`: what its own table asks for."""
    tls = table.tls
    absolute = document.absolute
    return EngineSettings(
        kind=table.kind,
        address=table.address,
        token=table.token,
        token_file=absolute(table.token_file) if table.token_file else None,
        tls=None if tls is None else Tls(absolute(tls.cert), absolute(tls.key), absolute(tls.ca)),
        namespace=table.namespace,
        redis=table.redis,
        environment=environment,
        insecure=table.insecure,
        fence=table.fence,
        size=table.size,
        bridge=tuple(table.bridge),
    )


def placement(table: PlacedTable) -> Placement:
    asked, node = table.resources, table.node
    resources = Resources()
    if asked is not None:
        resources = Resources(asked.cpu, asked.memory or 0, asked.gpu, dict(asked.custom))
    return Placement(table.engine, resources, {} if node is None else node.labels, table.source)


# --- rules -------------------------------------------------------------------------------------

Raw = Mapping[str, Any]

_OF_ENGINES = ("resources", "node", "source")
_OF_THIS_MACHINE = {
    "user": "the nodes run everything as one user",
    "group": "the nodes run everything as one user",
    "cpu_weight": "it holds on the daemon's machine",
    "tasks_limit": "it holds on the daemon's machine",
}


def broken_engine(document: Document, tables: Mapping[str, Raw]) -> Iterator[Mistake]:
    """What the `[engine]` table and those of the locations (complete, by name) make together."""
    engine = document.data.get("engine")
    engine = engine if isinstance(engine, Mapping) else {}
    kind = engine.get("kind", LOCAL)
    yield from _exposed(document, engine)
    for name, table in tables.items():
        yield from _misplaced(document, name, table, kind)
    remote = [name for name, table in tables.items() if table.get("engine", LOCAL) != LOCAL]
    dagster = document.data.get("dagster")
    if remote and isinstance(dagster, Mapping) and dagster.get("serve") is True:
        what = f"Dagster's UI cannot show what runs on nodes ({', '.join(remote)})"
        remedy = "remove serve, or run those locations on this machine; docs/engines.md says why"
        yield document.mistake(("dagster", "serve"), what, remedy)


def _misplaced(document: Document, name: str, table: Raw, kind: Any) -> Iterator[Mistake]:
    key: KeyPath = ("location", name)
    asked = table.get("engine", LOCAL)
    own = document.data["location"][name]
    if asked == LOCAL:
        if "engine" in own:
            return  # what the defaults say of nodes is for the others
        for each in _OF_ENGINES:
            if each in table:
                what = "is for an engine, and it runs on this machine"
                yield document.mistake((*key, each), what, 'add engine = "ray", or remove it')
        return
    if asked != kind:
        there = "there is no [engine]" if kind == LOCAL else f"[engine] is {kind!r}"
        what = f"asks for {asked!r}, and {there}"
        yield document.mistake((*key, "engine"), what, f'write [engine] with kind = "{asked}"')
    for each, why in _OF_THIS_MACHINE.items():
        if each in table:
            yield document.mistake((*key, each), f"has no effect on a node: {why}", "remove it")
    environment = table.get("environment")
    has_path = isinstance(environment, Mapping) and "path" in environment
    if has_path and table.get("source") != "shared":
        what = "is on this machine, and it runs on a node"
        remedy = 'say what is in it (packages, project, lock), or source = "shared"'
        yield document.mistake((*key, "environment", "path"), what, remedy)


def _exposed(document: Document, engine: Raw) -> Iterator[Mistake]:
    """A token that other users of this machine can read, with which they can do anything on a node;
    and files that are not there."""
    if isinstance(engine.get("token"), str) and _others_read(document.path):
        what = f"stands in {document.path}, which other users can read"
        remedy = f"run `chmod 600 {document.path}`, or move it to a token_file"
        yield document.mistake(("engine", "token"), what, remedy)
    named = engine.get("token_file")
    if isinstance(named, str) and named:
        path = document.absolute(named)
        if _others_read(path):
            what = f"other users can read {path}"
            yield document.mistake(("engine", "token_file"), what, f"run `chmod 600 {path}`")
        elif not path.is_file():
            what = f"no such file: {path}"
            yield document.mistake(("engine", "token_file"), what, "create it, or correct the path")
        elif _is_short(path):
            what = f"{path} has fewer than {SHORTEST} characters"
            remedy = f"make one with `openssl rand -hex 32 > {path}`"
            yield document.mistake(("engine", "token_file"), what, remedy)
    files = engine.get("tls")
    for name, file in files.items() if isinstance(files, Mapping) else ():
        if isinstance(file, str) and file and not document.absolute(file).is_file():
            what = f"no such file: {document.absolute(file)}"
            remedy = "create it, or correct the path"
            yield document.mistake(("engine", "tls", str(name)), what, remedy)


def _is_short(path: Path) -> bool:
    """Whether it has no whole token: as while it is being written. One that this user may not read
    is another matter: the daemon may be another."""
    try:
        return len(path.read_text(errors="replace").strip()) < SHORTEST
    except OSError:
        return False


def _others_read(path: Path) -> bool:
    """One's own group counts as others: who is in it can change at any time."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return bool(mode & (stat.S_IRGRP | stat.S_IROTH))
