"""The life of a warm interpreter: preload, say what came of it, take orders."""

from __future__ import annotations

import gc
import os
import sys
from time import perf_counter

from .. import parent, streams
from ..exposed import expose
from ..jsontext import loads
from . import becoming
from .channel import Channel
from .preload import preload, preload_carefully
from .stamps import Stamps
from .traces import Traces, offences, users
from .users import own_packages

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
    warmth = becoming.Warmth(path, known, Stamps(path))
    received = channel.receive()
    if received is None:
        os._exit(0)
    channel.send(warmed(received[0], warmth))
    while True:
        received = channel.receive()
        if received is None:
            os._exit(0)
        follow(*received, warmth)


def warmed(order: Dict[str, Any], warmth: becoming.Warmth) -> Dict[str, Any]:
    """Preload; what the daemon is told of it."""
    began, own = perf_counter(), own_packages(warmth.path)
    sys.path[:] = warmth.path
    sys.argv[:] = [""]
    sys.modules["__main__"] = type(sys)("__main__")
    expose()
    cold: Dict[str, str] = {}
    sharing = order["sharing"]
    before = Traces() if sharing else None
    variables = dict(os.environ)
    if order["carefully"]:
        cold = preload_carefully(order["modules"], own)
    else:
        preload(order["modules"], own)
    found = offences(before, own) if before is not None else []
    found += [f"the interpreter imports your own {name}" for name in users(set(warmth.known), own)]
    settle(warmth, variables)
    return {
        "offences": found,
        "cold": cold,
        "modules": len(warmth.modules),
        "seconds": perf_counter() - began,
    }


def settle(warmth: becoming.Warmth, variables: Dict[str, str]) -> None:
    """What is here now stays: the collector must not touch, and so copy, shared memory."""
    warmth.added = {name: os.environ[name] for name in os.environ if name not in variables}
    warmth.modules = frozenset(sys.modules)
    warmth.stamps.cover_modules()
    streams.flush()
    gc.collect()
    gc.freeze()


def follow(order: Dict[str, Any], descriptors: List[int], warmth: becoming.Warmth) -> None:
    if order["order"] == "fork":
        becoming.fork(order, descriptors, warmth)
    else:
        becoming.become(order, descriptors, warmth, forked=False)
    for descriptor in descriptors:
        os.close(descriptor)
