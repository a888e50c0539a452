"""The kit's own bytecode: written once for each Python, so that a start never compiles it.

A location may forbid bytecode (PYTHONDONTWRITEBYTECODE); its `import codeloc` would then compile
the package at each start.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import SourceFileLoader

from .sources import KIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator


def compile_kit() -> None:
    done = os.path.join(KIT, f".compiled-{sys.implementation.cache_tag}")
    if os.path.exists(done):
        return
    for path in kit_sources():
        SourceFileLoader(__name__, path).get_code(__name__)
    try:  # noqa: SIM105  contextlib would cost milliseconds
        open(done, "w").close()
    except OSError:
        pass  # a kit that cannot be written to: slower, not broken


def kit_sources() -> Iterator[str]:
    for folder, _, files in os.walk(KIT):
        yield from (os.path.join(folder, file) for file in files if file.endswith(".py"))
