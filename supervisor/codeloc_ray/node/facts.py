"""What a node is like: asked by `engine check`."""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from typing import Any

VERSIONS = tuple(f"3.{minor}" for minor in range(8, 20))
PLACES = ("~/.pyenv/versions/*/bin/python", "/opt/python/*/bin/python3")
VERSION = re.compile(r"(\d+\.\d+(?:\.\d+)?)")


def pythons() -> list[str]:
    """Versions, as far as their names tell; nothing is started for it."""
    found = set()
    for place in PLACES:
        for path in glob.glob(os.path.expanduser(place)):
            match = VERSION.search(path.split(os.sep)[-3])
            if match and ".".join(match.group().split(".")[:2]) in VERSIONS:
                found.add(match.group())
    found.update(each for each in VERSIONS if shutil.which(f"python{each}"))
    precise = {each.rpartition(".")[0] for each in found if each.count(".") == 2}
    return sorted(found - precise, key=lambda each: [int(part) for part in each.split(".")])


def facts() -> dict[str, Any]:
    """Of this node, now."""
    import ray

    return {
        "pythons": pythons(),
        "version": ray.__version__,
        "python": sys.version.split()[0],
    }
