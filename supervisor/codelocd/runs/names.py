"""What a command means by `LOCATION/JOB` or by assets: of which location, and what to run. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from codelocd.core.nearest import SHOWN, advice

Listed = Mapping[str, Any]
"""A definition as the registry lists it."""


class UnfitNames(Exception):
    """Nothing can be run by these names; `kind` as of an error in docs/protocol.md."""

    def __init__(self, kind: Literal["usage", "unknown"], summary: str) -> None:
        super().__init__(summary)
        self.kind: Literal["usage", "unknown"] = kind


@dataclass(frozen=True, slots=True)
class RunChoice:
    """A `job`, or what `select` chooses, of one repository."""

    repository: str
    job: str | None = None
    select: tuple[str, ...] | None = None


def location_of(
    names: Sequence[str],
    locations: Sequence[str],
    having: Callable[[str], Iterable[str]] = lambda _name: (),
) -> str:
    """The location that all names begin with; one that is alone need not be named.

    `having`: the locations that have a job or an asset of a name, for one that begins with none.
    Raises UnfitNames.
    """
    if len(locations) == 1:
        return locations[0]
    if not names:
        raise UnfitNames("usage", f"name what to run, as LOCATION/JOB; {advice('', locations)}")
    found = {_head(name, locations, having) for name in names}
    if len(found) > 1:
        several = ", ".join(sorted(found))
        raise UnfitNames("usage", f"a run is of one location, and these are of several: {several}")
    return found.pop()


def _head(name: str, locations: Sequence[str], having: Callable[[str], Iterable[str]]) -> str:
    fitting = [each for each in locations if name == each or name.startswith(f"{each}/")]
    if fitting:
        return max(fitting, key=len)
    whole = [f"{each}/{name}" for each in sorted({*having(name)})]
    if whole:
        what = f"{name!r} does not begin with a location"
        raise UnfitNames("unknown", f"{what}; write {' or '.join(whole[:SHOWN])}")
    head = name.partition("/")[0]
    raise UnfitNames("unknown", f"there is no location {head!r}; {advice(head, locations)}")


def chosen(
    names: Sequence[str],
    select: Sequence[str],
    location: str,
    definitions: Iterable[Listed],
    repository: str | None = None,
) -> RunChoice:
    """`definitions`: those of the location. A name is a job's or an asset's, with or without the
    location before it. `repository`: only of that one. Raises UnfitNames.
    """
    own = [each for each in definitions if each["kind"] in ("job", "asset")]
    own = _of_repository([each for each in own if not each.get("external")], repository, location)
    names = [name for name in names if name != location or _is_listed(name, own)]
    if not (names or select):
        raise UnfitNames("usage", f"name a job, or assets, of {location}; {_there(own)}")
    if not names:
        assets = [each for each in own if each["kind"] == "asset"]
        return RunChoice(_repository([], assets or own), select=tuple(select))
    plain = [_plain(name, location, own) for name in names]
    repository = _repository(plain, own)
    jobs = {
        each["name"] for each in own if each["kind"] == "job" and each["repository"] == repository
    }
    if not jobs.intersection(plain):
        return RunChoice(repository, select=(*plain, *select))
    if len(plain) > 1 or select:
        raise UnfitNames("usage", f"a run is of one job, or of assets: {', '.join(plain)}")
    return RunChoice(repository, job=plain[0])


def _is_listed(name: str, own: Iterable[Listed]) -> bool:
    return any(each["name"] == name for each in own)


def _plain(name: str, location: str, own: Sequence[Listed]) -> str:
    short = name.removeprefix(f"{location}/")
    for each in (name, short):
        if _is_listed(each, own):
            return each
    known = sorted({each["name"] for each in own})
    what = f"{location} has no job and no asset {short!r}"
    raise UnfitNames("unknown", f"{what}; {advice(short, known)}")


def _of_repository(own: list[Listed], repository: str | None, location: str) -> list[Listed]:
    if repository is None:
        return own
    its = [each for each in own if each["repository"] == repository]
    if not its:
        known = sorted({each["repository"] for each in own})
        what = f"{location} has no repository {repository!r} with jobs or assets"
        raise UnfitNames("unknown", f"{what}; {advice(repository, known)}")
    return its


def _repository(names: Sequence[str], own: Sequence[Listed]) -> str:
    """The one that has them all."""
    by_repository: dict[str, set[str]] = {}
    for each in own:
        by_repository.setdefault(each["repository"], set()).add(each["name"])
    found = [each for each, its in by_repository.items() if its.issuperset(names)]
    if len(found) > 1:
        what = ", ".join(names) or "what is selected"
        several = f"{what} can be of several repositories: {', '.join(found)}"
        raise UnfitNames("usage", f"{several}; say which: --repository {found[0]}")
    if found or not own:
        return found[0] if found else "__repository__"
    raise UnfitNames("usage", f"a run is of one repository, and these are of several: {names}")


def _there(own: Sequence[Listed]) -> str:
    names = sorted({each["name"] for each in own if each["kind"] == "job"})
    names = names or sorted({each["name"] for each in own})
    return advice("", names)
