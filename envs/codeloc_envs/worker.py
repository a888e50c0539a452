"""Builds one environment in a process of its own: `python -m codeloc_envs.worker`.

Reads `{"store": "/path", "specification": {...}, "refresh": false}` on stdin. Writes JSON lines on
stdout: any number of `{"progress": {...}}`, then exactly one `{"environment": {...}}` or
`{"problem": {"summary": "...", "detail": "...", "passing": false}}`. Its installer stays in its
process group: to cancel, kill the group; a later build takes away what is left.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.progress import Progress
from codeloc_envs.specification import Specification
from codeloc_envs.store import Store


def main() -> None:
    asked = json.load(sys.stdin)
    store = Store(Path(asked["store"]))
    specification = Specification.from_json(asked["specification"])
    refresh = bool(asked.get("refresh"))
    try:
        environment = store.build(specification, _report, refresh=refresh)
    except EnvironmentProblem as problem:
        said = {name: getattr(problem, name) for name in ("summary", "detail", "passing")}
        _say({"problem": said})
    else:
        _say({"environment": environment.to_json()})


def _report(progress: Progress) -> None:
    _say({"progress": progress.to_json()})


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
