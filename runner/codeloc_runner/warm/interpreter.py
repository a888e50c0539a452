"""The life of a warm interpreter: preload, say what came of it, take orders."""

from __future__ import annotations

import gc
import os
import sys

from .. import parent, streams, surroundings
from ..exposed import expose
from ..jsontext import loads
from ..reads import Reads
from ..sources import is_source
from . import forking, program, runner
from .channel import Channel
from .hooks import Hooks
from .missing import Missing
from .obstacles import outdated
from .preload import preload, preload_carefully, top
from .traces import Traces, offences, users
from .users import own_packages
from .warmth import Warmth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List


def run(text: str, path: List[str], known: AbstractSet[str]) -> None:
    """`path`: what a runner's `sys.path` starts from; `known`: as for `main.run`."""
    settings = loads(text)
    parent.bind(settings["parent"])
    os.set_inheritable(settings["channel_fd"], False)
    streams.prepare()
    channel = Channel(settings["channel_fd"])
    warmth = Warmth(channel, path, known)
    received = channel.receive()
    if received is None:
        os._exit(0)
    channel.send(warmed(received[0], warmth))
    while True:
        received = channel.receive()
        if received is None:
            os._exit(0)
        follow(*received, warmth)


def warmed(order: Dict[str, Any], warmth: Warmth) -> Dict[str, Any]:
    """Preload; what the daemon is told of it."""
    variables = dict(os.environ)
    arrange(warmth.path)
    reads, hooks, missing = Reads(), Hooks(), Missing()
    schedule("SCHED_BATCH")
    found = imported(order, warmth, hooks)
    schedule("SCHED_OTHER")
    hooks.end()
    read = reads.end()
    warmth.missing = missing.end()
    warmth.read, warmth.decisive = frozenset(read), tuple(order["decisive"])
    settle(warmth, variables)
    return {
        "offences": found,
        "cold": order["cold"],
        "variables": read,
        "hooks": {"at_exit": hooks.at_exit, "at_fork": hooks.at_fork},
    }


def schedule(policy: str) -> None:
    """Give way to whatever somebody waits for, while nobody waits for this.

    Niceness would do more, but its children would have it, and nobody but root can take it back.
    """
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
        except OSError:
            return  # a sandbox may forbid it


def arrange(path: List[str]) -> None:
    """As for a runner, but for what belongs to one location."""
    sys.path[:] = path
    sys.argv[:] = [""]
    surroundings.empty_main()
    expose()


def imported(order: Dict[str, Any], warmth: Warmth, hooks: Hooks) -> List[str]:
    """Import what was ordered; what forbids that it is shared, and `order["cold"]` extended."""
    modules, cold, own = order["modules"], order["cold"], own_packages(warmth.path)
    found = [f"the interpreter imports your own {one}" for one in users(set(warmth.known), own)]
    if not order["sharing"]:
        warmth.failed = preload(modules, own)
        return found
    before = Traces(hooks)
    if order["carefully"]:
        warmth.failed = preload_carefully(modules, own, cold, hooks)
    else:
        warmth.failed = preload(modules, {*own, *cold})
    found += [f"it imports {name}" for name in cold if name in sys.modules]
    return found + offences(before, own)


def settle(warmth: Warmth, variables: Dict[str, str]) -> None:
    """What is here now stays: the collector must not touch, and so copy, shared memory."""
    warmth.added = {name: os.environ[name] for name in os.environ if name not in variables}
    warmth.adopt_path()
    warmth.modules = frozenset(sys.modules)
    # one that is imported from within the other way round fails at first, and is there in the end
    warmth.failed = [name for name in warmth.failed if name not in warmth.modules]
    warmth.shared = dict(sys.modules)
    warmth.packages = frozenset(top(name) for name in warmth.modules - set(warmth.known))
    forget_listings()
    warmth.stamps.cover_modules()
    streams.flush()
    gc.collect()
    gc.freeze()


def forget_listings() -> None:
    """Of folders with sources: two saves within one tick of the file system's clock would leave
    a listing that is stale seem valid.
    """
    for folder in list(sys.path_importer_cache):
        if is_source(folder + os.sep):
            del sys.path_importer_cache[folder]


def follow(order: Dict[str, Any], descriptors: List[int], warmth: Warmth) -> None:
    if order["order"] == "become":
        runner.become(order, descriptors, warmth, lambda: outdated(warmth))
    else:
        life = runner.become if order["order"] == "fork" else program.become
        forking.fork(order, descriptors, warmth, life)
    for descriptor in descriptors:
        os.close(descriptor)
