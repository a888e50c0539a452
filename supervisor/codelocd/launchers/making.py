"""The launcher of a daemon, made of its parts."""

from __future__ import annotations

from pathlib import Path

from codelocd.kit import RUNNER
from codelocd.launchers.local import LocalLauncher
from codelocd.launchers.memory import Memory
from codelocd.launchers.places import Places
from codelocd.launchers.warm import WarmLauncher
from codelocd.process import Children
from codelocd.warm import Beside


def make_launcher(
    children: Children, kit: Path, *, sockets: Path, learned: Path, idle: float, beside: Beside
) -> WarmLauncher:
    """`sockets`: the folder of the runners' sockets; `learned`: that of what was learned of
    environments; `idle`: seconds after which a warm interpreter that nobody uses ends; `beside`:
    what is preloaded for the programs beside runners.
    """
    memory = Memory(learned)
    places = Places(children, kit / RUNNER / "__main__.py", memory, idle=idle, beside=beside)
    return WarmLauncher(LocalLauncher(children, kit, sockets), places, memory)
