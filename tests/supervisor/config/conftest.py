"""A folder with config files, and what reading them says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from codelocd import config
from codelocd.config.targets import Targets
from codelocd.model import Config, LocationSpec


@dataclass(frozen=True)
class Folder:
    path: Path

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        return file

    def load(
        self, name: str, environ: Mapping[str, str] | None = None, *, activated: bool = True
    ) -> Config:
        return config.load(self.path / name, environ or {}, activated=activated)

    def one(self, name: str, text: str, environ: Mapping[str, str] | None = None) -> LocationSpec:
        self.write(name, text)
        [location] = self.load(name, environ).locations
        return location

    def problems(self, name: str, environ: Mapping[str, str] | None = None) -> list[str]:
        """The lines of the error, with the folder's path left out."""
        with pytest.raises(config.ConfigError) as caught:
            self.load(name, environ)
        return self.lines(caught.value)

    def from_targets(self, environ: Mapping[str, str] | None = None, **targets: Any) -> Config:
        return config.from_targets(Targets(**targets), self.path, environ or {})

    def target_problems(self, **targets: Any) -> list[str]:
        with pytest.raises(config.ConfigError) as caught:
            self.from_targets(**targets)
        return self.lines(caught.value)

    def lines(self, error: config.ConfigError) -> list[str]:
        return str(error).replace(f"{self.path}/", "").splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
