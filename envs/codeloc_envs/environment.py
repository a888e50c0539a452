"""A ready environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Origin = Literal["built", "reused", "existing"]
Flavour = Literal["virtualenv", "conda", "interpreter"]


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter with everything that was asked for.

    `path` is its prefix, None for a plain interpreter. `python` is the version, `3.12.1`.
    `existing` ones are somebody else's: they are read, never written; `has_bytecode` says
    that compiled files stand in theirs, so that nothing need be compiled elsewhere, and
    `activation` is what the scripts of a conda prefix set. `sources` are the files of local
    packages that were installed into it: a change of one means another environment, like a change
    of `Choice.inputs`.
    """

    key: str
    path: Path | None
    python: str
    executable: Path
    origin: Origin
    flavour: Flavour = "virtualenv"
    has_bytecode: bool = False
    activation: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """What activation sets, besides `executable.parent` as the first entry of PATH."""
        own = {"VIRTUAL_ENV": str(self.path)} if self.flavour == "virtualenv" else {}
        return {**own, **self.activation}

    @property
    def lease_name(self) -> str:
        """Under what its leases are held."""
        built = self.origin != "existing" and self.path is not None
        return self.path.name if built and self.path else self.key

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "path": str(self.path) if self.path else None,
            "python": self.python,
            "executable": str(self.executable),
            "origin": self.origin,
            "flavour": self.flavour,
            "has_bytecode": self.has_bytecode,
            "activation": dict(self.activation),
            "sources": [str(source) for source in self.sources],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Environment:
        path = Path(data["path"]) if data["path"] else None
        sources = tuple(map(Path, data["sources"]))
        known = {"path": path, "executable": Path(data["executable"]), "sources": sources}
        return cls(**{**data, **known})
