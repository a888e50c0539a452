"""A code server in waiting: run by path with a location's interpreter (Python 3.8 and newer).

It imports the modules that it is given, waits for its one order, and then is `python -m MODULE`
with the arguments that the order gives: nothing of Dagster's is used but its command line.
"""

import contextlib
import json
import os
import runpy
import sys


def main() -> None:
    del sys.path[0]  # the folder of this file, whose modules are codelocd's alone
    schedule("SCHED_BATCH")
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):  # not every release has all of them
            __import__(name)
    schedule("SCHED_OTHER")
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["directory"])
    sys.path.insert(0, order["directory"])  # as `python -m` has it
    sys.argv[1:] = order["arguments"]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


def schedule(policy: str) -> None:
    """Give way, while it imports, to whatever somebody waits for; where the platform has that."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))


if __name__ == "__main__":
    main()
