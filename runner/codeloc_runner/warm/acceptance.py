"""The answer to an order: whether it can be followed from here."""

from __future__ import annotations

import os

from ..jsontext import dumps
from .obstacles import obstacle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, List, Mapping, Optional

    from .warmth import Warmth

    Verdict = Callable[[], Optional[str]]
    """Says what of the preloaded is outdated, if anything is."""


def accepted(
    directory: str, path: List[str], own: List[int], warmth: Warmth, verdict: Verdict
) -> bool:
    """Whether a process with that `sys.path` can begin here; then it is in its working directory.

    `own`: its standard output and error, and the socket for the answer.
    """
    out, err, telling = own
    why = obstacle(directory, path, warmth)
    old = verdict()
    if why is not None or old is not None:
        answer(telling, {"refused": old or why, "stale": old is not None})
        return False
    answer(telling, {"pid": os.getpid()})
    warmth.channel.close()
    for source, target in ((out, 1), (err, 2)):
        os.dup2(source, target)
    for descriptor in own:
        os.close(descriptor)
    return True


def answer(descriptor: int, said: Mapping[str, Any]) -> None:
    os.write(descriptor, dumps(said).encode())
