"""What an attempt tells on its pipe, as events of its run. User code can write there, too. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codelocd.core import shapes
from codelocd.core.shapes import WrongShape
from codelocd.runs.events import CheckTold, PlanTold, RunEvent, StepTold, UserCodeBegun
from codelocd.runs.folder import checked_check, checked_step


def told_event(line: bytes) -> dict[str, Any]:
    """The event in a line. Raises WrongShape."""
    told = shapes.read(line)
    kind = shapes.text(told, "event")
    if kind == "step":
        step = checked_step(told)
        del step["checks"]  # they come as events of their own
        return step
    if kind == "check":
        shapes.text(told, "asset")
        return checked_check(told)
    if kind == "plan":
        steps = told.get("steps")
        if type(steps) is not list:
            raise WrongShape("steps is no list")
        return {**told, "steps": [_planned(each) for each in steps]}
    return told


def _planned(step: Any) -> dict[str, Any]:
    if type(step) is not dict:
        raise WrongShape("a step is no object")
    shapes.text(step, "name")
    if type(step.get("timeout")) not in (int, float, type(None)):
        raise WrongShape("timeout is no number of seconds")
    checks = step.get("checks", [])
    if type(checks) is not list or not all(type(each) is str for each in checks):
        raise WrongShape("checks is no list of names")
    return dict(step)


def run_event(told: Mapping[str, Any]) -> RunEvent | None:
    """What it means for the run; None: nothing. `told` as of `told_event`."""
    document = {name: each for name, each in told.items() if name not in ("event", "at")}
    match told["event"]:
        case "begun":
            return UserCodeBegun()
        case "plan":
            steps = told["steps"]
            timed = {each["name"]: each["timeout"] for each in steps if each.get("timeout")}
            return PlanTold(timed)
        case "step":
            return StepTold(document)
        case "check":
            asset = document.pop("asset")
            return CheckTold(asset, document)
    return None
