"""The environment of a runner: built on the node, by `codeloc_envs` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

KEPT = 64 * 1024
"""Bytes of the end of what the builder says beside its messages."""
LINE_BYTES = 16 * 1024 * 1024

PATHS = ("directory", "script")
PATHS_OF_REQUEST = ("project", "lock")


def moved(specification: Mapping[str, Any], root: str) -> dict[str, Any]:
    """A specification whose files are below `root` on this node."""

    def place(path: str | None) -> str | None:
        return None if path is None else root + path

    request = dict(specification["request"])
    for name in PATHS_OF_REQUEST:
        request[name] = place(request[name])
    request["requirements"] = [place(each) for each in request["requirements"]]
    own = {name: place(specification[name]) for name in PATHS}
    return {**specification, **own, "request": request}


def found(store: str, tools: str, specification: Mapping[str, Any]) -> dict[str, Any] | None:
    """The environment, where this node has it ready: no process is started for that. Blocks."""
    if tools not in sys.path:
        sys.path.append(tools)
    from codeloc_envs.problem import EnvironmentProblem
    from codeloc_envs.request import Specification
    from codeloc_envs.store.store import Store

    try:
        ready = Store(Path(store, "environments")).find(Specification.from_json(specification))
    except (EnvironmentProblem, OSError):  # the builder says it better
        return None
    return None if ready is None else dict(ready.to_json())


def held(store: str, environment: Mapping[str, Any]) -> object:
    """Keeps the environment from being removed, for as long as this process has what is returned.
    None where it is gone already: its runner says so. Blocks."""
    from codeloc_envs.environment import Environment
    from codeloc_envs.problem import EnvironmentProblem
    from codeloc_envs.store.store import Store

    try:
        return Store(Path(store, "environments")).lease(Environment.from_json(environment))
    except (EnvironmentProblem, OSError):
        return None


def prune(store: str) -> None:
    """Remove what no runner of this node has used for as long as on one machine. Blocks."""
    from codeloc_envs.store.store import Store

    with contextlib.suppress(OSError):
        Store(Path(store, "environments")).prune()


async def build(
    store: str,
    tools: str,
    specification: Mapping[str, Any],
    progress: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    """`{"environment": …}` or `{"problem": …}`, as the builder says it. `tools`: the folder with
    what it imports. When cancelled, the builder and what it started are killed."""
    question = {"store": os.path.join(store, "environments"), "specification": specification}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "codeloc_envs.worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**of_node(os.environ), "PYTHONPATH": tools, "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
        limit=LINE_BYTES,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    errors = asyncio.ensure_future(process.stderr.read())
    try:
        process.stdin.write(json.dumps(question).encode())
        process.stdin.close()
        said: dict[str, Any] = {}
        async for line in process.stdout:
            message = _message(line)
            if "progress" in message:
                progress(message["progress"])
            else:
                said.update(message)
        await process.wait()
        if not said:
            detail = (await errors)[-KEPT:].decode(errors="replace")
            summary = (
                f"the environment's builder on the node ended without a word ({process.returncode})"
            )
            problem = {"summary": summary, "detail": detail, "passing": True, "shortage": None}
            said = {"problem": problem}
        return said
    finally:
        errors.cancel()
        _kill(process.pid)


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, 9)
    except (ProcessLookupError, PermissionError):
        return


RAYS = ("RAY_", "PYTHONPATH", "PYTHONHOME", "PYTHONBREAKPOINT", "LD_PRELOAD", "CODELOCD_NODE_STORE")
"""The beginnings of variables that Ray's processes have for themselves, the token among them."""


def of_node(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of this node, as a process sees them that is not Ray's."""
    return {name: value for name, value in environ.items() if not name.startswith(RAYS)}


def variables(
    node: Mapping[str, str],
    asked: Mapping[str, Mapping[str, str]],
    environment: Mapping[str, Any],
) -> dict[str, str]:
    """All of a runner's: as if its environment were activated, what was configured last."""
    executable = environment["executable"]
    inherited = {**of_node(node), **asked.get("inherited", {})}
    activation = dict(environment["activation"])
    if environment["flavour"] == "virtualenv" and environment["path"]:
        activation = {"VIRTUAL_ENV": environment["path"], **activation}
    path = inherited.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    inherited["PATH"] = f"{os.path.dirname(executable)}:{path}"
    return {**inherited, **activation, **asked.get("configured", {})}


def editable(environment: Mapping[str, Any], described: str, root: str) -> list[str]:
    """Folders of the user's that the environment refers to, as they are in the runner's own tree.

    A project that is installed editable is referred to where it was when the environment was
    built. Its sources are newer since: those in the tree `root` come first.
    """
    found = []
    if not environment["path"] or not described:
        return []
    for file in sorted(glob.glob(f"{environment['path']}/lib*/python3*/site-packages/*.pth")):
        try:
            with open(file, errors="surrogateescape") as lines:
                found += [line.strip() for line in lines]
        except OSError:
            continue
    return [root + each[len(described) :] for each in found if each.startswith(described + "/")]
