"""The launcher of a daemon, made of its parts."""

from __future__ import annotations

from pathlib import Path

from codelocd.kit import RUNNER
from codelocd.launchers.local import LocalLauncher
from codelocd.launchers.memory import Memory
from codelocd.launchers.places import Places
from codelocd.launchers.warm import WarmLauncher
from codelocd.process import Children


def make_launcher(
    children: Children, kit: Path, *, sockets: Path, learned: Path, idle: float
) -> WarmLauncher:
    """`sockets`: the folder of the runners' sockets; `learned`: that of what was learned of
    environments; `idle`: seconds after which a warm interpreter that nobody uses ends.
    """
    memory = Memory(learned)
    places = Places(children, kit / RUNNER / "__main__.py", memory, idle=idle)
    return WarmLauncher(LocalLauncher(children, kit, sockets), places, memory)
