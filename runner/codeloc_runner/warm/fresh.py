"""What a process that was forked must not share with its siblings, made as in a fresh start."""

from __future__ import annotations

import os
import sys
from _thread import get_native_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping


def arrange(
    arguments: List[str], variables: Mapping[str, str], added: Mapping[str, str], since: int = 2
) -> None:
    """`added`: variables that imports have set, as they would have set them here.

    `arguments` stand in the command line from number `since` on.
    """
    set_variables({**added, **variables})
    original: List[str] = getattr(sys, "orig_argv", [])
    original[since:] = arguments
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.getcwd()


def set_variables(wanted: Dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def part_from_siblings() -> None:
    """`random` sees to itself after a fork; these do not."""
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)
    threading: Any = sys.modules.get("threading")
    if threading is not None:  # Python 3.8 and 3.9 keep the parent's
        threading.main_thread()._native_id = get_native_id()
