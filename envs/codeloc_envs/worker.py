"""Builds an environment, or prunes a store, in a process: `python -m codeloc_envs.worker`.

Reads `{"store": "/path", "specification": {...}, "refresh": false}` on stdin. Writes JSON lines on
stdout: any number of `{"progress": {...}}`, then exactly one `{"environment": {...}}` or
`{"problem": {"summary": "...", "detail": "...", "passing": false, "shortage": null}}`. Its
installer stays in its process group: to cancel, kill the group; a later build takes away what is
left.

With `--prune STORE` it removes instead what is no longer used, at low priority, and writes
`{"keys": ["..."], "freed": BYTES}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codeloc_envs import files
from codeloc_envs.install.output import Progress
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.request import Specification
from codeloc_envs.store.store import Store

_NICENESS = 19
"""The lowest priority there is."""


def prune(root: Path) -> None:
    """Removes what is no longer used, at low priority."""
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)
    print(json.dumps(asdict(Store(root).prune())))


def main() -> None:
    if sys.argv[1:2] == ["--prune"]:
        prune(Path(sys.argv[2]))
    else:
        build()


def build() -> None:
    asked = json.load(sys.stdin)
    store = Store(Path(asked["store"]))
    specification = Specification.from_json(asked["specification"])
    refresh = bool(asked.get("refresh"))
    try:
        environment = store.build(specification, _report, refresh=refresh)
    except EnvironmentProblem as problem:
        names = ("summary", "detail", "passing", "shortage")
        said = {name: getattr(problem, name) for name in names}
        _say({"problem": said})
    else:
        for damage in files.found:
            _report(Progress("replacing", damage.text))
        _say({"environment": environment.to_json()})


def _report(progress: Progress) -> None:
    _say({"progress": progress.to_json()})


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
