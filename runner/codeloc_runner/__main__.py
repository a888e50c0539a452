"""The entry point of a runner: loads the runner's package under a private name and runs it.

With a location and its settings it is a runner, with settings alone a warm interpreter, and with a
third word, "run", the process of one attempt of a run or of one evaluation, whose order is a file.

While the runner's own modules load, `sys.path` holds the standard library alone, so nothing of
the location can stand in for one of them. The bundle itself never stays on `sys.path`.
"""

import os
import sys

PRIVATE_NAME = "_codeloc_runner"


def is_standard_library(entry: str) -> bool:
    """Whether an entry of `sys.path` is the interpreter's own: its zip, its folder, lib-dynload."""
    home = os.path.dirname(os.__file__)
    return (
        entry in (home, os.path.join(home, "lib-dynload"))
        or os.path.basename(entry) == f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    )


def start() -> None:
    known = frozenset(sys.modules)
    here = os.path.dirname(os.path.abspath(__file__))
    # Absent when the interpreter runs with -I, -P or PYTHONSAFEPATH.
    path = [e for i, e in enumerate(sys.path) if i or os.path.realpath(e) != os.path.realpath(here)]
    sys.path[:] = [entry for entry in path if is_standard_library(entry)]
    # The runner's bytecode lives in its bundle whatever the location's settings say about bytecode.
    wanted = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = False, None
    package = type(sys)(PRIVATE_NAME)
    package.__path__ = [here]
    sys.modules[PRIVATE_NAME] = package
    __import__(PRIVATE_NAME + ".main")
    main = sys.modules[PRIVATE_NAME + ".main"]
    main.compile_bundle()
    run = main.run
    if len(sys.argv) == 2:
        __import__(PRIVATE_NAME + ".forkserver.interpreter")
        run = sys.modules[PRIVATE_NAME + ".forkserver.interpreter"].run
    elif len(sys.argv) == 4:
        __import__(PRIVATE_NAME + ".run.entry")
        run = sys.modules[PRIVATE_NAME + ".run.entry"].run
    sys.dont_write_bytecode, sys.pycache_prefix = wanted
    run(*sys.argv[1:3], path, known)


if __name__ == "__main__":
    start()
