"""The launcher of a daemon: from warm interpreters where that is possible."""

from __future__ import annotations

from codelocd.dagster.code_server import BESIDE
from codelocd.model import Config
from codelocd.process.child import Children
from codelocd.process.inheritance import RUNNER, Inheritance
from codelocd.runners.bundle import Bundle
from codelocd.runners.warm.launcher import WarmLauncher, make_launcher
from codelocd.storage.paths import DaemonPaths


def warm_launcher(
    config: Config,
    paths: DaemonPaths,
    children: Children,
    bundle: Bundle,
    inheritance: Inheritance,
) -> WarmLauncher:
    """`inheritance`: of runners whose sockets are in use."""
    left = [each for each in inheritance.left if each.kind == RUNNER]
    return make_launcher(
        children,
        bundle.path,
        restore=bundle.restore,
        sockets=paths.runtime_dir,
        profiles=paths.state_dir / "warm",
        in_use=[each.record["socket"] for each in left],
        idle=config.daemon.warm_idle,
        beside=BESIDE if config.dagster.serve else {},
    )
