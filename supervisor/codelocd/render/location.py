"""One location in full, as `systemctl status` shows a unit: what, why, and its last output."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codelocd.render.definitions import conflict
from codelocd.render.journal import visible
from codelocd.render.status import config, past_failure, state
from codelocd.render.text import (
    STATES,
    Screen,
    duration,
    indented,
    one_line,
    plural,
    share,
    size,
    starting,
)

if TYPE_CHECKING:
    from codeloc_envs.documents import ProgressDocument
    from codelocd.documents.answers import (
        ActionOutcome,
        CheckDocument,
        CheckedLocation,
        ProcessStacks,
        StacksDocument,
    )
    from codelocd.documents.definitions import Counts
    from codelocd.documents.locations import (
        EnvironmentInUse,
        ExitDocument,
        HooksDocument,
        LeftLocation,
        ProblemDocument,
        Reasons,
        ShownLocation,
        TimingDocument,
    )

MARGIN = 12
"""Columns of the longest label."""
POLLED = 3
"""Folders that are named; a tree would have many."""
ENDED = ("failed", "stopped", "external")
"""States that the end of a daemon does not end."""


def location(document: ShownLocation | LeftLocation, now: float, screen: Screen) -> str:
    """The `show LOCATION --json` document as a page. `now` is Unix time."""
    lines = [_title(document, screen)]
    lines += [f"{label:>{MARGIN}}: {value}" for label, value in _header(document, now) if value]
    if "config" in document:
        lines += config(document["config"], screen)
    parts = ["\n".join(lines), *_problem(document, now, screen), *_output(document, screen)]
    return "\n\n".join(parts)


def _watched(document: ShownLocation) -> Iterator[tuple[str, str]]:
    """What starts a load, and what does not although it is watched; an older daemon says less."""
    yield "Sources", f"{plural(len(document['sources']), 'file')} watched"
    yield "Changed by", one_line(document.get("changed_by") or "")
    for path in document.get("left_out", ()):
        yield "Left out", f"{one_line(path)} (its own runner writes it)"
    for path in document.get("own_writes", ()):
        yield "Written", f"{one_line(path)} (by each load)"
    yield "Polled", one_line(", ".join(document.get("polled", [])[:POLLED]))


def _title(document: ShownLocation | LeftLocation, screen: Screen) -> str:
    words, style = state(document)
    if "left_at" in document and document["state"] not in ENDED:
        words, style = f"was {words}", STATES["stopped"]
    dot = screen.paint("●", style)
    return f"{dot} {screen.paint(one_line(document['name']), 'bold')}: {screen.paint(words, style)}"


def _header(document: ShownLocation | LeftLocation, now: float) -> Iterator[tuple[str, str]]:
    why = document["why"]
    if document["state"] == "external" or why is None:
        yield "Supervised", "no: a code server of its own"
        return
    yield "Serving", _serving(document)
    yield "Release", _release(document)
    yield "Runner", _runner(document, why)
    yield "Node", _node(document, why)
    yield "Inherited", _inherited(why["hooks"])
    yield "Environment", _environment(document["environment"])
    yield "Because", one_line(why["environment"] or "")
    yield "Inputs", one_line(", ".join(why["inputs"]))
    yield "Definitions", counts(document["counts"])
    if "left_at" not in document:  # where no daemon runs, nothing is watched
        yield from _watched(document)
    yield "Last exit", _last_exit(document["last_exit"], now)
    failure = past_failure(document)
    yield "Last failure", _last_failure(failure, now) if failure else ""


def counts(found: Counts) -> str:
    """`4 assets, 1 job` or `no definitions`."""
    nouns = ((count, kind.replace("_", " ")) for kind, count in found.items() if count)
    return ", ".join(plural(count, noun) for count, noun in nouns) or "no definitions"


def _serving(document: ShownLocation | LeftLocation) -> str:
    restarts = plural(document["restarts"], "restart")
    if document["state"] == "stopped" and document["wanted"] is False:
        return f"nothing, as codelocd stop left it; to start it: {starting(document['name'])}"
    if document["uptime"] is None:
        since = " since the daemon ended" if "left_at" in document else ""
        return f"nothing{since}, {restarts}"
    since = duration(document["uptime"])
    return f"generation {document['generation']} for {since}, {restarts}"


def _release(document: ShownLocation | LeftLocation) -> str:
    """Nothing where the files in place are served; an older daemon does not say."""
    release = document.get("release")
    return f"{release} in {one_line(document['working_directory'] or '')}" if release else ""


def _node(document: ShownLocation | LeftLocation, why: Reasons) -> str:
    """An older daemon knows no nodes."""
    node, reason = document.get("node"), one_line(why.get("placement") or "")
    return one_line(node) + (f" ({reason})" if reason else "") if node else ""


def _runner(document: ShownLocation | LeftLocation, why: Reasons) -> str:
    if document["pid"] is None:
        return ""
    loaded = f"{document['loader']} code loaded in {duration(document['load_seconds'])}"
    reason = f" ({one_line(why['start_method'])})" if why["start_method"] else ""
    memory = size(document["memory"])
    answered = document.get("last_answer")
    ping = f", answered a ping {duration(answered)} ago" if answered is not None else ""
    cpu = "" if document["cpu"] is None else f", {share(document['cpu'])} of a core"
    start = f"started by {document['start_method']}{reason}"
    return f"pid {document['pid']}, {memory}{cpu}, {loaded}, {start}{ping}"


def _inherited(hooks: HooksDocument | None) -> str:
    """`hooks at exit: logging; at fork: random, threading`, as preloaded modules registered."""
    if hooks is None:
        return ""
    moments = (("at exit", hooks["at_exit"]), ("at fork", hooks["at_fork"]))
    told = [f"{words}: {', '.join(sorted(modules))}" for words, modules in moments if modules]
    return one_line(f"hooks {'; '.join(told)}") if told else ""


def _environment(environment: EnvironmentInUse | None) -> str:
    if environment is None:
        return ""
    python = f"Python {environment['python']}"
    return one_line(f"{python} in {environment['path'] or environment['executable']}") + (
        f" ({environment['origin']})"
    )


def _last_exit(end: ExitDocument | None, now: float) -> str:
    if end is None:
        return ""
    ago = f"{duration(now - end['at'])} ago"
    if end["asked"]:
        return f"ended by the daemon, {ago}"
    return f"{how(end)}, {ago}"


def _last_failure(failure: ProblemDocument, now: float) -> str:
    """It stays when another runner serves, and when that one has ended in order."""
    return one_line(f"{failure['kind']}: {failure['summary']}, {duration(now - failure['at'])} ago")


def how(end: ExitDocument) -> str:
    """`status 7`, `SIGKILL`."""
    if end["signal"] is None:
        return "it is not known how" if end["status"] is None else f"status {end['status']}"
    try:
        return signal.Signals(end["signal"]).name
    except ValueError:
        return f"signal {end['signal']}"


def _problem(document: ShownLocation | LeftLocation, now: float, screen: Screen) -> Iterator[str]:
    problem = document["problem"]
    if problem is None:
        return
    ago = f"{duration(now - problem['at'])} ago"
    kind = f"Problem ({problem['kind']}, {ago})"
    summary = one_line(problem["summary"])
    yield f"{screen.paint(kind, STATES['failed'])}: {summary}"
    yield from rest(problem, "  ")


def _output(document: ShownLocation | LeftLocation, screen: Screen) -> Iterator[str]:
    if document["output"]:
        title = screen.paint("Last output", "bold")
        yield "\n".join(
            [title, *(f"  {visible(line['text'], screen)}".rstrip() for line in document["output"])]
        )


def rest(problem: ProblemDocument, margin: str) -> Iterator[str]:
    """Its detail, unless that is the summary again: some problems need no more than one line."""
    if problem["detail"] and problem["detail"].strip() != problem["summary"]:
        yield indented(problem["detail"], margin)


def line(timing: TimingDocument, start_method: str | None) -> str:
    """`event 3ms, decision 1ms, fork 14ms, …`; what is not known is left out."""
    return ", ".join(f"{name} {duration(each)}" for name, each in stages(timing, start_method))


def page(document: ShownLocation | LeftLocation) -> str:
    """Of a `show LOCATION --json` document."""
    timing = document["timing"]
    if timing is None:
        return "nothing serves"
    listed = [*stages(timing, document["start_method"]), ("total", timing["total"])]
    return "\n".join(f"{name:<10}{duration(each):>8}" for name, each in listed)


def stages(timing: TimingDocument, start_method: str | None) -> Iterator[tuple[str, float]]:
    """The parts of a load in their order, those that are known, with their seconds."""
    parts = (
        ("event", timing["event"]),
        ("decision", timing["decision"]),
        (start_method or "start", timing["start"]),
        ("import", timing["import"]),
        ("snapshot", timing["snapshot"]),
        ("publish", timing["publish"]),
    )
    return ((name, seconds) for name, seconds in parts if seconds is not None)


def outcome(found: ActionOutcome, screen: Screen) -> str:
    """What became of a location that was started, stopped, restarted or reloaded, in a line."""
    how_it_is = screen.paint(found["state"], STATES.get(found["state"]))
    problem = found["problem"]
    words = f": {problem['kind']}: {one_line(problem['summary'])}" if problem else ""
    if found.get("superseded"):
        words = f": another order, {found['superseded']}, came after this one"
    if note := found.get("note"):
        words += f"; {one_line(note)}"
    return f"{screen.paint(one_line(found['name']), 'bold')} {how_it_is}{words}"


def stacks(document: StacksDocument, *, warm: bool, screen: Screen) -> str:
    """The `show LOCATION --stacks --json` document; `warm`: with its warm interpreter."""
    parts = [_stacks(document, f"runner of {document['location']}", screen)]
    if warm and document["warm"] is None:
        parts.append("no warm interpreter is ready for it")
    elif warm and document["warm"] is not None:
        parts.append(_stacks(document["warm"], "warm interpreter", screen))
    return "\n\n".join(parts)


def _stacks(found: ProcessStacks, what: str, screen: Screen) -> str:
    lines = [screen.paint(one_line(f"{what}, process {found['pid']}"), "bold")]
    for thread in found["threads"]:
        lines.append(one_line(f"{thread['name']}:"))
        frames = thread["stack"] or ["(none of your code)"]
        lines += [indented(frame, "  ") for frame in frames]
    return "\n".join([*lines, *([one_line(found["note"])] if found["note"] else [])])


def passed(document: CheckDocument) -> bool:
    """Every location loads, and none defines what another does."""
    return all(found["ok"] for found in document["locations"]) and not document["conflicts"]


def checked(found: CheckedLocation, screen: Screen) -> str:
    """One location of the `check --json` document: a line, its problem in full below it."""
    return "\n".join(_location(found, screen))


def result(document: CheckDocument, screen: Screen) -> str:
    """What the `check --json` document says of all locations together."""
    mark = _mark(ok=False, screen=screen)
    conflicts = (f"{mark} defined more than once: {conflict(c)}" for c in document["conflicts"])
    return "\n".join([*conflicts, _sum(document)])


def _location(found: CheckedLocation, screen: Screen) -> Iterator[str]:
    name = screen.paint(one_line(found["name"]), "bold")
    problem = found["problem"]
    words = counts(found["definitions"]) if found["ok"] else _words(problem)
    yield f"{_mark(ok=found['ok'], screen=screen)} {name}: {words}"
    if problem:
        yield from rest(problem, "    ")


def _words(problem: ProblemDocument | None) -> str:
    return f"{problem['kind']}: {one_line(problem['summary'])}" if problem else "failed"


def _mark(*, ok: bool, screen: Screen) -> str:
    return screen.paint("✓", STATES["serving"]) if ok else screen.paint("✗", STATES["failed"])


def _sum(document: CheckDocument) -> str:
    found = document["locations"]
    failed = sum(not location["ok"] for location in found)
    conflicts = plural(len(document["conflicts"]), "conflict")
    return f"{plural(len(found), 'location')} checked, {failed} failed, {conflicts}"


def step(data: ProgressDocument, screen: Screen) -> str:
    """`downloading 3/51 (12 MiB of 80 MiB) downloaded pandas`."""
    counted = f" {data['done']}/{data['total']}" if data["total"] else ""
    loaded = ""
    if data["bytes_total"]:
        loaded = f" ({size(data['bytes_done'])} of {size(data['bytes_total'])})"
    words = screen.paint(f"{data['phase']}{counted}{loaded}", STATES["building"])
    return f"{words} {one_line(data['message'])}".rstrip()
