"""What an engine could not do, as a problem of a location. Pure but for the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from codeloc_envs import EnvironmentProblem
from codelocd.engine.bridge import BridgeState
from codelocd.model import Problem, ProblemKind
from codelocd.render.text import size
from codelocd.rpc.errors import RpcError
from codelocd.runners.engine import WAITING, EngineRefuses

FULL = "full"
"""What the bridge says of a cluster that has no room (`data["what"]`)."""

_FINAL = ("usage", "limit", "unknown")
"""The kinds of errors after which a change has to come first."""


def out_of_reach(state: BridgeState, address: str | None) -> EngineRefuses:
    """The cluster cannot be asked for now."""
    where = f" at {address}" if address else ""
    summary = f"{WAITING}{where}: {state.why}"
    detail = "It is tried again by itself. `codelocd engine status` says more."
    return EngineRefuses(Problem("limit", summary, detail, time.time()), passing=True)


def of(failure: RpcError) -> EngineRefuses:
    """The cluster was asked, and cannot do it."""
    data: Any = failure.data if isinstance(failure.data, dict) else {}
    passing = failure.kind not in _FINAL or data.get("what") == "stale"
    kind: ProblemKind = "limit" if passing else "config"
    summary = f"{WAITING}: {failure.message}" if passing else failure.message
    detail = str(data.get("detail") or "")
    if missing := data.get("missing"):
        lacks = ", ".join(f"{n} {_figure(n, each)}" for n, each in sorted(missing.items()))
        detail = f"missing: {lacks}\n{detail}"
    return EngineRefuses(Problem(kind, summary, detail.strip(), time.time()), passing=passing)


def refuse_problem(said: Mapping[str, Any]) -> None:
    """Raises EnvironmentProblem where that is what a bridge has answered."""
    if problem := said.get("problem"):
        raise EnvironmentProblem(
            problem["summary"],
            problem.get("detail", ""),
            passing=bool(problem.get("passing")),
            shortage=problem.get("shortage"),
        )


def _figure(name: str, amount: float) -> str:
    return size(int(amount)) if name == "memory" else f"{amount:g}"
