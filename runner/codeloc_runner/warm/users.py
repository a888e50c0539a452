"""Installed packages that are the user's own: made from a folder, not taken from an index."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence, Set

ORIGIN = "direct_url.json"
"""Where an installer notes that a package came from a local folder (PEP 610)."""
FINDER = "__editable__"
"""How setuptools begins the names of what makes an editable install importable: that is its own
code, which every interpreter of the environment imports as it starts."""


def own_packages(path: Sequence[str]) -> Set[str]:
    """Their top-level names: editable installs and path dependencies, copied or not."""
    return {name for folder in path for info in local(folder) for name in top_levels(folder, info)}


def local(folder: str) -> Iterator[str]:
    """The `.dist-info` folders of packages that came from this machine."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.endswith(".dist-info") and '"file:' in text(os.path.join(folder, name, ORIGIN)):
            yield name


def top_levels(folder: str, info: str) -> Iterator[str]:
    for line in text(os.path.join(folder, info, "RECORD")).splitlines():
        first = line.partition(",")[0].partition("/")[0]
        if first not in (info, "..") and not first.startswith(FINDER):
            yield first.partition(".")[0]


def text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""
