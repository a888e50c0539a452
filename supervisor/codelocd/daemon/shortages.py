"""An attempt that failed for want of something that the machine lacks: told as what it is."""

from __future__ import annotations

import random
import resource
import time

from codeloc_envs.shortage import shortage
from codelocd.core import shortages
from codelocd.core.events import MachineLacks
from codelocd.daemon.location import Location
from codelocd.model import Problem, RunnerId


def told(location: Location, number: int, what: str, error: BaseException) -> bool:
    """Whether that is why the build or the start of this number failed; its location knows then."""
    lacking = shortage(error)
    if lacking is None:
        return False
    lives = RunnerId(number) in location.runners
    found = problem(lacking, f"{what}: {error}")
    location.tell(MachineLacks(number, found, random.random(), lives))
    return True


def problem(lacking: int, what: str) -> Problem:
    """By the daemon's own limits; `lacking` as in `errno`."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return shortages.problem(lacking, what, time.time(), files=files, processes=processes)
