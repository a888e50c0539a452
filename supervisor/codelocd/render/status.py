"""The table of locations."""

from __future__ import annotations

from codelocd.render.text import (
    GAP,
    NOTHING,
    STATES,
    Column,
    Screen,
    columns,
    duration,
    one_line,
    plural,
    share,
    shortened,
    size,
    starting,
    table,
    wrapped,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from codelocd.documents.locations import (
        ConfigDocument,
        DroppedOutput,
        LocationFacts,
        LocationStatus,
        ProblemDocument,
        StatusDocument,
    )
    from codelocd.render.text import Cell

TITLES = (
    Column("NAME", least=12),
    Column("STATE", least=15),
    Column("UPTIME", 3, right=True),
    Column("RESTARTS", 6, right=True),
    Column("DEFINITIONS", 5, right=True),
    Column("RELEASE", 11, least=12),
    Column("ENVIRONMENT", 10, least=12),
    Column("PYTHON", 8),
    Column("PID", 9, right=True),
    Column("NODE", 7),
    Column("MEMORY", 4, right=True),
    Column("CPU", 7, right=True),
    Column("RUNS", 4),
    Column("LAST EXIT", 6, least=20),
    Column("PROBLEM", 2, least=28),
)

SELDOM = (5, 9, 12, 13)
"""Columns that are there only where a release serves, a runner is on a node, runs go on, or a
runner has ended."""

LOADING = ("building", "starting")
UNDER_WAY = (*LOADING, "stopping")


def status(document: StatusDocument, screen: Screen) -> str:
    """The `status --json` document as a table, trouble first, with what is around it below."""
    rows = _rows(document)
    listed = _table(rows, screen) if rows else "no locations"
    return "\n".join([listed, *around(document, screen)])


def failed(document: StatusDocument, screen: Screen) -> str:
    """The same of those alone that are wanted and do not serve the newest source."""
    found = [each for each in document["locations"] if not healthy(each)]
    if found:
        return status({**document, "locations": found}, screen)
    return "\n".join([f"none failed: {counts(document)}", *around(document, screen)])


def page(document: StatusDocument, clock: str, screen: Screen) -> str:
    """A screen of it, below a line with `clock` and sums; what does not fit is named below."""
    below = [line for each in _few(_around(document)) for line in _brief(*each, screen)]
    rows = _rows(document)
    room = len(rows) + 1 if screen.height is None else max(screen.height - 1 - len(below), 2)
    head = f"codelocd {clock}  {counts(document)}"
    first = _cut(f"{head}{sums(document, head, screen)}", "bold", screen)
    whole = len(rows) if len(rows) < room else _whole(rows, room, screen)
    listed = [_table(rows[:whole], screen)] if whole else []
    rest = _side_by_side(rows[whole:], room - len(listed) - whole, screen)
    return "\n".join([first, *listed, *rest, *below])


FEW = 3
"""Lines below a page; the mistakes of a config may be more than the screen has lines."""

LINES = 3
"""Lines of a page that one mistake may take, and the height from which on it may."""

TALL = 15

BRIEF = 24
"""Columns of a name that stands beside others."""


def _rows(document: StatusDocument) -> list[list[Cell]]:
    at = document["daemon"]["at"]
    return [_row(location, at) for location in by_trouble(document["locations"])]


def _table(rows: Sequence[Sequence[Cell]], screen: Screen) -> str:
    kept = [i for i in range(len(TITLES)) if i not in SELDOM or any(r[i] != NOTHING for r in rows)]
    return table([TITLES[i] for i in kept], [[row[i] for i in kept] for row in rows], screen)


def sums(document: StatusDocument, head: str, screen: Screen) -> str:
    """`  CPU 34%, memory 1.2 GiB, 3 restarts` of all, as far as the line that begins with `head`
    has room."""
    locations = document["locations"]
    cpu = [cpu for each in locations if (cpu := each["cpu"]) is not None]
    memory = [memory for each in locations if (memory := each["memory"]) is not None]
    told = [f"CPU {share(sum(cpu))}"] if cpu else []
    told += [f"memory {size(sum(memory))}"] if memory else []
    told += [plural(sum(each["restarts"] for each in locations), "restart")] if locations else []
    edge = screen.width
    while told and edge is not None and columns(f"{head}  {', '.join(told)}") > edge:
        told.pop()
    return f"  {', '.join(told)}" if told else ""


def _few(lines: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    more = f"and {len(lines) - FEW + 1} more: codelocd config validate"
    return lines if len(lines) <= FEW else [*lines[: FEW - 1], (more, lines[-1][1])]


def _brief(text: str, style: str | None, screen: Screen) -> list[str]:
    """The text in so many lines that its place and its reason are seen; a file without folder."""
    if screen.width is None or columns(text) <= screen.width:
        return [_cut(text, style, screen)]
    lead, at, rest = text.partition(": /")
    place, colon, reason = rest.partition(": ")
    if at and colon:
        text = f"{lead}: {place.rpartition('/')[2]}: {reason}"
    most = 1 if screen.height is not None and screen.height < TALL else LINES
    return [screen.paint(line, style) for line in wrapped(text, screen.width, most)]


def _whole(rows: Sequence[Sequence[Cell]], room: int, screen: Screen) -> int:
    """How many rows, trouble first, can be whole so that all have a place in `room` lines."""
    for count in range(room - 2, 0, -1):
        per_line = _abreast(rows[count:], screen)[1]
        if 1 + count - (-(len(rows) - count) // per_line) <= room:
            return count
    return max(room - 2, 0)


def _abreast(
    rows: Sequence[Sequence[Cell]], screen: Screen
) -> tuple[list[tuple[str, str | None]], int]:
    """Name, state and uptime of each as one text with a style, and how many fit in a line."""
    cells = []
    for row in rows:
        (name, _), (words, style), since = _pair(row[0]), _pair(row[1]), row[2]
        uptime = "" if since == NOTHING else f" {since}"
        cells.append((f"{shortened(one_line(name), BRIEF)} {words}{uptime}", style))
    widest = max((columns(text) for text, _ in cells), default=1)
    return cells, max(1, ((screen.width or widest) + len(GAP)) // (widest + len(GAP)))


def _pair(cell: Cell) -> tuple[str, str | None]:
    return (cell, None) if isinstance(cell, str) else cell


def _side_by_side(rows: Sequence[Sequence[Cell]], room: int, screen: Screen) -> list[str]:
    """Those in the least trouble, several in a line; what has no place there is counted."""
    cells, per_line = _abreast(rows, screen)
    shown = cells if len(cells) <= room * per_line else cells[: max(room - 1, 0) * per_line]
    widest = max((columns(text) for text, _ in shown), default=0)
    lines = []
    for start in range(0, len(shown), per_line):
        line = shown[start : start + per_line]
        padded = [f"{screen.paint(t, s)}{' ' * (widest - columns(t))}" for t, s in line]
        lines.append(GAP.join(padded).rstrip() if len(line) > 1 else _cut(*line[0], screen))
    hidden = rows[len(shown) :]
    names = ", ".join(row[0][0] for row in hidden)
    return [*lines, *([_cut(f"+{len(hidden)} more: {names}", "dim", screen)] if hidden else [])]


def _cut(text: str, style: str | None, screen: Screen) -> str:
    """The text as far as the screen is wide."""
    text = one_line(text)
    return screen.paint(text if screen.width is None else shortened(text, screen.width), style)


def by_trouble(locations: Iterable[LocationStatus]) -> list[LocationStatus]:
    """What is in trouble first, then what is under way, then the rest; each as it came."""

    def rank(location: LocationStatus) -> int:
        if not healthy(location) and location["state"] not in UNDER_WAY:
            return 0
        return 1 if location["state"] in UNDER_WAY or location["reloading"] else 2

    return sorted(locations, key=rank)


def counts(document: StatusDocument) -> str:
    """`30 locations: 28 serving, 1 stale, 1 failed`, the most frequent first."""
    found: dict[str, int] = {}
    for location in document["locations"]:
        words = state(location)[0].replace("serving, stale", "stale").partition(",")[0]
        found[words] = found.get(words, 0) + 1
    each = [f"{count} {words}" for words, count in sorted(found.items(), key=lambda x: -x[1])]
    listed = f": {', '.join(each)}" if each else ""
    return f"{plural(len(document['locations']), 'location')}{listed}"


def around(document: StatusDocument, screen: Screen) -> list[str]:
    """What is not of one location: where Dagster's UI is, and a config that is not applied."""
    return [screen.paint(text, style) for text, style in _around(document)]


def config(found: ConfigDocument, screen: Screen) -> list[str]:
    """What there is to say about a config that is not applied: a line for each mistake."""
    return [screen.paint(text, style) for text, style in _config(found)]


def _around(document: StatusDocument) -> list[tuple[str, str | None]]:
    dagster = document["daemon"]["dagster"]
    url = dagster["url"] if dagster is not None else None
    ui: list[tuple[str, str | None]] = [(one_line(f"Dagster's UI: {url}"), None)] if url else []
    told = document["daemon"].get("warnings", [])  # an older daemon has none
    warnings: list[tuple[str, str | None]] = [(one_line(each), "yellow") for each in told]
    lost = _dropped(document["daemon"]["dropped"])
    return [*ui, *_config(document["daemon"]["config"]), *warnings, *lost]


def _dropped(lost: Mapping[str, DroppedOutput]) -> list[tuple[str, str | None]]:
    """Output that could not be written to files."""
    if not lost:
        return []
    total, why = sum(each["bytes"] for each in lost.values()), next(iter(lost.values()))["why"]
    what = f"output not written to disk: {size(total)} of {', '.join(sorted(lost))}: {why}"
    return [(one_line(what), "yellow")]


def _config(found: ConfigDocument) -> list[tuple[str, str | None]]:
    if found["problem"] is None:
        return []
    if found["state"] == "invalid":
        lines = found["problem"].splitlines()
        return [(one_line(f"config not applied: {line}"), "red") for line in lines]
    text = f"config changed, not applied: {found['file']}: {found['problem']}"
    return [(one_line(text), "yellow")]


def state(location: LocationFacts) -> tuple[str, str]:
    """What callers get, and what is going on beside it, with the colour of the whole."""
    words: list[str] = [location["state"]]
    is_stale = location["stale"] and (location["problem"] or not location["reloading"])
    if is_stale:  # what is being replaced without trouble is told by what replaces it
        words.append("stale")
    if location["reloading"]:
        words.append("reloading" if location["reloading"] == "starting" else "building")
    return ", ".join(words), STATES.get(words[1] if is_stale else words[0], "dim")


def healthy(location: LocationFacts) -> bool:
    """Whether it serves the newest source, or is not wanted, as external servers are not."""
    if not location["wanted"]:
        return True
    return location["state"] == "serving" and not location["stale"]


def environment(location: LocationFacts) -> str:
    """The key of a built environment, the folder of the user's own."""
    found = location["environment"]
    if found is None:
        return NOTHING
    own = found["path"] or found["executable"]
    return own if found["origin"] == "existing" else found["key"][:12]


WAITS = {
    "stopping": "stop of {}",
    "building": "the environment of {}",
    "starting": "{} to load",
    "backoff": "{} to be tried again",
}


def under_way(locations: Iterable[LocationFacts]) -> list[tuple[str, str]]:
    """What an order would have to wait for, and for how long that has been going on."""
    states = ((each, each["reloading"] or each["state"]) for each in locations)
    return [
        (WAITS[state].format(one_line(each["name"])), duration(each["phase_seconds"]))
        for each, state in states
        if state in WAITS
    ]


def past_failure(location: LocationFacts) -> ProblemDocument | None:
    """Why a runner last ended that was not told to, unless that is the problem of now."""
    failure, problem = location["last_failure"], location["problem"]
    is_told = failure and problem and problem["at"] == failure["at"]
    return None if is_told else failure


def _problem(location: LocationFacts) -> Cell:
    problem = location["problem"]
    if problem:
        return f"{problem['kind']}: {problem['summary']}", "red"
    if location["state"] == "stopped" and location["wanted"] is False:
        return f"{starting(location['name'])} starts it, codelocd stop stopped it", "dim"
    return NOTHING


def _last_exit(location: LocationFacts, at: float) -> Cell:
    """When and why a runner last ended that was not told to, also when another serves."""
    failure = past_failure(location)
    if not failure:
        return NOTHING
    ago = f"{duration(at - failure['at'])} ago"
    return f"{ago}: {failure['summary'].removeprefix('the runner ')}", "dim"


def _runs(location: LocationStatus) -> str:
    """`1 running, 2 queued`."""
    counts: Mapping[str, Any] = location.get("runs") or {}
    told = [f"{counts[each]} {each}" for each in ("running", "queued") if counts.get(each)]
    return ", ".join(told) or NOTHING


def _row(location: LocationStatus, at: float) -> list[Cell]:
    used = location["environment"]
    return [
        (location["name"], "bold"),
        state(location),
        duration(location["uptime"]),
        str(location["restarts"]),
        str(sum(location["definitions"].values())),
        (location.get("release") or NOTHING)[:12],
        environment(location),
        used["python"] if used is not None else NOTHING,
        str(location["pid"] or "-"),
        location.get("node") or NOTHING,
        size(location["memory"]),
        share(location["cpu"]),
        _runs(location),
        _last_exit(location, at),
        _problem(location),
    ]
