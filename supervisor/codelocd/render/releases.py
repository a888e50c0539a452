"""Releases as text: the list of them, and what a deploy does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codelocd.render.location import outcome, rest
from codelocd.render.text import Cell, Column, Screen, duration, one_line, plural, size, table

if TYPE_CHECKING:
    from codelocd.documents.releases import (
        DeployOutcome,
        LocationReleases,
        ReleaseDocument,
        ReleasesDocument,
        ReleaseUpload,
    )

SHORT = 12
"""Digits of an ID that are shown."""
SHOWN = 20
"""Paths that a dry run lists of each kind."""

TITLES = (
    Column("LOCATION"),
    Column("RELEASE"),
    Column("STATE"),
    Column("DEPLOYED", 1),
    Column("BY", 3),
    Column("FILES", 5, right=True),
    Column("SIZE", 4, right=True),
    Column("SOURCE", 2, least=20),
)
STYLES = {"current": "green", "failed": "red"}


def releases(document: ReleasesDocument, now: float, screen: Screen) -> str:
    """The `releases --json` document as a table, and why the failed ones failed. `now` is Unix
    time."""
    rows: list[list[Cell]] = []
    problems: list[str] = []
    for each in document["locations"]:
        rows += _rows(each, now)
        problems += _problems(each)
    if not rows:
        return "no releases: all locations are loaded from their files in place"
    return "\n".join([table(TITLES, rows, screen), *problems])


def _rows(found: LocationReleases, now: float) -> Iterator[list[Cell]]:
    for each in found["releases"]:
        state = each["state"]
        yield [
            (found["location"], "bold"),
            each["id"][:SHORT],
            (state, STYLES[state]) if state in STYLES else state,
            f"{duration(now - each['at'])} ago" if each["at"] else "",
            each["user"] or "",
            str(each["files"]),
            size(each["bytes"]),
            _source(each),
        ]


def _source(release: ReleaseDocument) -> str:
    source = release["source"]
    if source["commit"] is None:
        return source["folder"]
    return f"{source['ref']} ({source['commit'][:SHORT]}) in {source['folder']}"


def _problems(found: LocationReleases) -> Iterator[str]:
    for each in found["releases"]:
        if each["problem"]:
            yield f"{one_line(found['location'])} {each['id'][:SHORT]}: {one_line(each['problem'])}"


def deployed(found: DeployOutcome, *, waited: bool) -> str:
    """One line for a deploy that went well, or that is not waited for."""
    release, name = found["release"], one_line(found["name"])
    what = "the files in place" if release is None else f"release {release[:SHORT]}"
    if not waited:
        return f"{name}: to be loaded: {what}; `codelocd releases {name}` tells the outcome"
    serves = "serve" if release is None else "serves"
    if release == found["former"]:
        return f"{name}: {what} {serves}, as before"
    former = "the files in place" if found["former"] is None else found["former"][:SHORT]
    return f"{name}: {what} {serves}; before: {former}"


def failed(found: DeployOutcome, screen: Screen) -> str:
    """A deploy that failed, with the whole problem: nothing else shows it once it is over."""
    problem = found["problem"]
    return "\n".join([outcome(found, screen), *(rest(problem, "  ") if problem else ())])


def changes(upload: ReleaseUpload, screen: Screen) -> str:
    """What a dry run of a deploy says."""
    files, amount = plural(upload["files"], "file"), size(upload["bytes"])
    new = f"{size(upload['missing_bytes'])} to be sent"
    lines = [f"release {upload['release'][:SHORT]}: {files}, {amount}, {new}"]
    signs = (("+", "green", "added"), ("~", "yellow", "changed"), ("-", "red", "removed"))
    for sign, style, kind in signs:
        paths: list[str] = upload[kind]  # type: ignore[literal-required]
        lines += [screen.paint(f"{sign} {one_line(path)}", style) for path in paths[:SHOWN]]
        if len(paths) > SHOWN:
            lines.append(screen.paint(f"{sign} and {len(paths) - SHOWN} more", style))
    return "\n".join(lines)
