"""Judges what `codelocd doctor` sees on a machine. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `what` is there, in one line, and `then` what to do about it.

    A `problem` is in the way now, a `warning` may be later.
    """

    area: str
    level: Level
    what: str
    then: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


SHARE = 0.8
"""The part of a limit from which on it is nearly used up."""

MIB = 1024 * 1024
LITTLE_ROOM, NO_ROOM = 1024 * MIB, 100 * MIB
"""Bytes of a disk: an environment with pandas takes about 200 MiB."""

SKEW = 2.0
"""Seconds by which the clock of a file system may differ: reloads go by content, ages do not."""


def limit(
    area: str, name: str, used: int, most: int | None, then: str, coming: int = 0, of: str = ""
) -> Finding:
    """Whether what is used of a limit comes near it; `most` None: there is none. `coming`: how much
    more is to be expected `of` something that does not run yet."""
    if most is None:
        return Finding(area, "ok", f"{name}: {used} used, no limit")
    what = f"{name}: {used} of {most} used"
    if used >= most:
        return Finding(area, "problem", what, then)
    if used + coming > most:
        return Finding(area, "warning", f"{what}, and {of} may need {coming} more", then)
    near = used >= SHARE * most
    return Finding(area, "warning" if near else "ok", what, then if near else "")


def descriptors(used: int, most: int | None, whose: str, coming: int, of: str) -> Finding:
    """Open files of one process; `coming` and `of` as for `limit`."""
    then = "raise it: `ulimit -n 65536` before the start, LimitNOFILE=65536 in a systemd unit"
    return limit("descriptors", f"open files of {whose}", used, most, then, coming, of)


# --- what locations need -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Needs:
    """What a daemon of so many locations takes: its own open files while all of them are loaded
    again at once, inotify watches and instances, bytes of memory.

    By docs/operations.md (`python -m benchmarks.sizing`): environments of their own, as the most
    that there may be; ten folders of code each; and of memory no more than small Dagster projects
    that share an environment take, which says that less will not do.
    """

    files: int
    watches: int
    instances: int
    memory: int

    @classmethod
    def of(cls, locations: int) -> Needs:
        mega = 1000 * 1000
        return cls(30 + 11 * locations, 20 + 10 * locations, 3, (60 + 26 * locations) * mega)


def memory(available: int, locations: int, limits: Collection[int | None], total: int) -> Finding:
    """Whether `locations` that do not run yet fit into what is available (bytes). `limits`: the
    `memory_limit` of each location of the config; `total`: what the machine has."""
    gib = 1024 * MIB
    what = f"{available / gib:.1f} of {total / gib:.1f} GiB available"
    need = Needs.of(locations).memory if locations else 0
    if need > available:
        then = "fewer locations, one environment for several, or more memory (docs/operations.md)"
        more = f"{locations} locations with Dagster need {need / gib:.1f} GiB or more"
        return Finding("memory", "warning", f"{what}, and {more}", then)
    allowed = sum(each for each in limits if each is not None)
    if allowed > total:
        more = f"the limits of the locations together allow {allowed / gib:.1f} GiB"
        return Finding("memory", "warning", f"{what}, and {more}", "lower `memory_limit`")
    return Finding("memory", "ok", what)


def room(area: str, folder: str, free: int) -> Finding:
    """Free bytes of the disk that holds a folder."""
    what = f"{folder}: {free // MIB} MiB free"
    if free >= LITTLE_ROOM:
        return Finding(area, "ok", what)
    level: Level = "problem" if free < NO_ROOM else "warning"
    return Finding(
        area, level, what, "free some room there; `codelocd env prune` removes what is unused"
    )


def clock(skew: float, newest: float, folder: str) -> Finding:
    """`skew`: seconds by which the file system is ahead; `newest`: by which the state is."""
    if abs(skew) > SKEW:
        what = f"the disk of {folder} has another time than this machine: {skew:+.0f} s"
        return Finding("clock", "warning", what, "set the clocks of both by NTP")
    if newest > SKEW:
        what = f"what the daemon wrote last is {newest:.0f} s in the future: the clock was set back"
        return Finding("clock", "warning", what, "set the clock by NTP; nothing is lost")
    return Finding("clock", "ok", "disk and machine have the same time")


def cgroup(version: int, writable: bool) -> Finding:
    """Whether limits of memory and processes can be the kernel's."""
    if version == 2 and writable:
        return Finding("cgroup", "ok", "cgroup v2, and a part of it is the daemon's own")
    have = {0: "no cgroups", 1: "cgroup v1"}.get(version, "cgroup v2, none of it the daemon's own")
    what = f"{have}: limits of memory are kept by looking, not by the kernel"
    return Finding("cgroup", "ok", what)


def orphans(
    pids: Sequence[int], kept: Iterable[tuple[float, Sequence[int]]] = ()
) -> Iterator[Finding]:
    """Processes of daemons that have ended. `kept`: those of each daemon that wait for the next
    one, and for how many seconds after its end they do.
    """
    level: Level = "ok"
    for seconds, waiting in kept:
        level = "warning"
        what = f"{len(waiting)} of a daemon that has ended wait for the next: {_listed(waiting)}"
        then = "start the daemon again: it adopts those that serve; otherwise they end within"
        yield Finding("processes", level, what, f"{then} {seconds:g} s of the end of their daemon")
    if pids:
        what = f"{len(pids)} of a daemon that has ended: {_listed(pids)}"
        yield Finding("processes", "warning", what, f"end them: `kill {_listed(pids)}`")
    elif level == "ok":
        yield Finding("processes", level, "none is left of a daemon that has ended")


def _listed(pids: Sequence[int]) -> str:
    return " ".join(map(str, pids))


def pythons(versions: Sequence[str]) -> Finding:
    """Those that environments can be built with."""
    if versions:
        return Finding("python", "ok", ", ".join(dict.fromkeys(versions)))
    then = "install Python 3.8 or newer with its venv package"
    return Finding("python", "problem", "none that environments can be built with", then)


def dagsters(environments: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """By the packages of each environment that a location uses."""
    found = []
    for environment in environments:
        packages = dict(each.split("==", 1) for each in environment["packages"] if "==" in each)
        core = packages.get("dagster")
        if core is None:
            continue
        users = ", ".join(environment["used_by"]) or f"environment {environment['key'][:12]}"
        siblings = {name: packages[name] for name in _SAME if name in packages}
        other = [f"{name} {version}" for name, version in siblings.items() if version != core]
        if other:
            what = f"{users}: dagster {core} beside {', '.join(other)}: they belong to one release"
            found.append(Finding("dagster", "problem", what, f"pin them all to {core}"))
        else:
            found.append(Finding("dagster", "ok", f"{users}: dagster {core}"))
    return found


_SAME = ("dagster-webserver", "dagster-graphql", "dagster-pipes", "dagster-shared")
"""Packages that are released with dagster, under its own version."""


def verdict(findings: Iterable[Finding]) -> bool:
    """Whether nothing is in the way now."""
    return all(finding.level != "problem" for finding in findings)
