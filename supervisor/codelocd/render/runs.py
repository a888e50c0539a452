"""One run as text, line by line as it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codelocd.render.text import Screen, columns, duration, one_line, plural, shortened

NARROWEST, WIDEST = 12, 40
"""Columns of names, which the states stand below each other behind."""
VALUE = 60
"""Columns of one value of metadata."""
SUMMARY = 200
"""Columns of a reason; the output of the run has the rest."""
WORDS = {
    "succeeded": ("ok", "green"),
    "failed": ("FAILED", "red"),
    "passed": ("passed", "green"),
    "error": ("ERROR", "red"),
    "cancelled": ("cancelled", "yellow"),
    "checked": ("checked", None),
    "started": ("started", "cyan"),
}
"""How a state of a step is told, and in which style."""
STATE_STYLES = {
    "queued": "dim",
    "starting": "cyan",
    "running": "cyan",
    "succeeded": "green",
    "cancelled": "yellow",
    "failed": "red",
    "lost": "red",
}
"""Of runs."""

Document = Mapping[str, Any]


def title(what: str, told: str, screen: Screen, number: int | None = None) -> str:
    """The line before all steps; `told` is said of its code, `number` is that of a recorded run."""
    run = "run" if number is None else f"run {number}"
    return "  ".join([run, screen.paint(one_line(what), "bold"), one_line(told)]).rstrip()


def what(run: Document) -> str:
    """`sales/nightly`, or `sales: orders, +report` of assets."""
    if run["job"] is not None:
        return f"{run['location']}/{run['job']}"
    return f"{run['location']}: {', '.join(run['select'] or ()) or 'all assets'}"


def of_generation(run: Document) -> str:
    """Which code it runs; empty before it has begun."""
    generation = run["code"]["generation"]
    return "" if generation is None else f"generation {generation}"


def width_of(plan: Document) -> int:
    """Columns of the names of all steps and checks, by the event `plan` or by a whole run."""
    steps = plan.get("steps") or ()
    names = [columns(one_line(each["name"])) for each in steps]
    for each in steps:
        for check in each.get("checks") or ():
            name = check if isinstance(check, str) else check["name"]
            names.append(columns(one_line(name)) + 2)
    return min(max([NARROWEST, *names]), WIDEST)


def step_line(step: Document, width: int, screen: Screen) -> str:
    """A step that has ended, by the event `step`."""
    name = one_line(step["name"])
    if step["state"] == "skipped":
        return f"  {_wide(name, width)}  skipped{_why(step.get('why'))}"
    more = " ".join(filter(None, (_metadata(step), one_line(step.get("summary") or ""))))
    took = duration(step.get("seconds"))
    return f"  {_wide(name, width)}  {_state(step['state'], screen)}  {took:>5}  {more}".rstrip()


def check_line(check: Document, width: int, screen: Screen) -> str:
    """A check, below its asset. One that only warns does not shout."""
    state = check["state"]
    warns = state != "passed" and check.get("severity") == "warn"
    shown = screen.paint("warning", "yellow") if warns else _state(state, screen).rstrip()
    more = " ".join(filter(None, (one_line(check.get("summary") or ""), _metadata(check))))
    return f"    {_wide(one_line(check['name']), width - 2)}  {shown}  {more}".rstrip()


def again(retry: Document) -> str:
    """An attempt has failed, and another one comes. Steps and checks have said why already."""
    why = retry["summary"] or retry["why"]
    told = f": {one_line(why)}" if why not in ("exception", "check") else ""
    seconds = duration(retry["seconds"])
    return f"attempt {retry['number']} failed{told}; the next one begins in {seconds}"


def seconds_of(timed: Document, now: float) -> float | None:
    """How long a run or an attempt took, or has by now; None: it was not started."""
    if timed["started"] is None:
        return None
    told: float | None = timed.get("seconds")  # a daemon of an earlier version does not say
    return (timed["ended"] or now) - timed["started"] if told is None else told


def ended(run: Document, screen: Screen) -> str:
    """The last line, of the document of a run."""
    state = run["state"]
    style = STATE_STYLES.get(state)
    took = duration(seconds_of(run, run["ended"] or 0))
    why = "; ".join(_reasons(run))
    name = "run" if run["id"] is None else f"run {run['id']}"
    if run["started"] is None:  # it was not begun
        took = duration((run["ended"] or 0) - run["queued"])
        return f"{name} {screen.paint(state, style)} after {took} in the queue" + _after(why)
    told = f"{name} {screen.paint(state, style)} after {took}" + _after(why)
    if run["id"] is None or state not in ("failed", "lost"):
        return told
    return f"{told}; " + screen.paint(f"codelocd runs show {run['id']}", "dim")


def _after(why: str) -> str:
    return f": {why}" if why else ""


def _reasons(run: Document) -> Iterator[str]:
    if run["state"] == "cancelled":
        if run["why"] == "shutdown":
            yield "the daemon ended"
        elif run["summary"]:
            yield one_line(run["summary"])
    if run["state"] in ("succeeded", "cancelled"):
        return
    if run["why"] == "usage":  # its output has said what is wrong
        yield "it cannot be run as it was asked for"
        return
    if run["why"] == "upstream":
        yield "it takes a value that no run has left"
        return
    if run["state"] == "lost":
        yield "it ended while no daemon was there to see how"
        return
    steps = run["steps"]
    failed = [each["name"] for each in steps if each["state"] == "failed"]
    checks = [
        check
        for each in steps
        for check in each.get("checks") or ()
        if check["state"] != "passed" and check.get("severity") != "warn"
    ]
    if failed:
        yield f"{plural(len(failed), 'step')} ({one_line(', '.join(failed))})"
    if checks:
        yield plural(len(checks), "check")
    if run["why"] not in ("exception", "check") or not (failed or checks):
        yield shortened(one_line(run["summary"] or run["why"] or "nothing tells why"), SUMMARY)


def _state(state: str, screen: Screen) -> str:
    word, style = WORDS.get(state, (one_line(state), None))
    return screen.paint(word, style) + " " * (6 - len(word))


def _why(why: object) -> str:
    return f" ({one_line(why)})" if isinstance(why, str) and why else ""


def _wide(name: str, width: int) -> str:
    return name + " " * max(0, width - columns(name))


def _metadata(told: Document) -> str:
    """Those that fit into a line."""
    given = told.get("metadata")
    found = given.items() if isinstance(given, Mapping) else ()
    plain = [(name, each) for name, each in found if isinstance(each, str | int | float)]
    return ", ".join(f"{one_line(n)} {shortened(one_line(str(v)), VALUE)}" for n, v in plain)
