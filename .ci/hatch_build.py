"""Puts the man pages into a wheel, where `make man` has written them before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface[Any]):
    """pip and the like install them below share/man of the environment."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard" and (Path(self.root) / "build" / "man").is_dir():
            build_data["shared_data"]["build/man"] = "share/man"
