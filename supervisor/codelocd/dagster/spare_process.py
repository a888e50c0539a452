"""A code server in waiting, run by path with a location's interpreter (Python 3.8 and newer).

It imports Dagster, waits for its one order, and then is `python -m dagster` with the arguments
that the order gives: nothing of Dagster's is used but its command line.
"""

import contextlib
import importlib
import json
import os
import runpy
import sys

COMMAND_LINE = ("dagster._cli", "dagster._cli.api", "dagster._grpc.server")
"""What `dagster api grpc` imports, and what takes the time. Not `dagster.__main__`: to import that
is to run it."""


def main() -> None:
    del sys.path[0]  # the folder of this file, whose modules are nobody's but codelocd's
    for name in COMMAND_LINE:
        with contextlib.suppress(ImportError):  # another release keeps it elsewhere: only slower
            importlib.import_module(name)
    line = sys.stdin.readline()
    if not line:
        return
    order = json.loads(line)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(order["directory"])
    sys.path.insert(0, order["directory"])  # as `python -m` has it
    sys.argv[1:] = order["arguments"]
    runpy.run_module("dagster", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
