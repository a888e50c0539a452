"""A code server in waiting, run by path with a location's interpreter (Python 3.8 and newer).

It imports Dagster, waits for its one order, and then is `python -m dagster` with the arguments
that the order gives: nothing of Dagster's is used but its command line.
"""

import json
import os
import runpy
import sys


def main() -> None:
    del sys.path[0]  # the folder of this file, whose modules are nobody's but codelocd's
    import dagster.__main__  # noqa: F401  what takes the time

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
