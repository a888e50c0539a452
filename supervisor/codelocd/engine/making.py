"""Makes the parts of an engine from the `[engine]` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import codeloc_envs
import codelocd
from codeloc_envs import Store
from codelocd.engine import wire
from codelocd.engine.command import OtherCommand, RayCommand
from codelocd.model import Output
from codelocd.placement import EngineSettings
from codelocd.runners.environments import Builder


def bridge_command(
    settings: EngineSettings, store: Store, builder: Builder, output: Output
) -> OtherCommand | RayCommand:
    """How its bridge is started."""
    if settings.kind == "other":
        return OtherCommand(settings)
    return RayCommand(settings, store, builder, output)


def hello_of(
    settings: EngineSettings, owner: str, bundle: Path, orphan_timeout: float
) -> Callable[[], Mapping[str, Any]]:
    """What each bridge is told first. The token is read each time: it may have been renewed.

    `bundle`: the folder that runners are run from. Nodes get it, and what builds environments.
    """
    packages = {each.__name__: str(Path(each.__path__[0])) for each in (codeloc_envs, codelocd)}

    def hello() -> Mapping[str, Any]:
        told = wire.hello(settings, token_of(settings), owner, str(bundle), orphan_timeout)
        return {**told, "settings": {**told["settings"], "packages": packages}}

    return hello


def token_of(settings: EngineSettings) -> str | None:
    """The cluster's token. Raises OSError where its file cannot be read."""
    if settings.token_file is not None:
        return settings.token_file.read_text().strip()
    return settings.token
