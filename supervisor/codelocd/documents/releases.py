"""The releases of locations, and what comes of a deploy."""

from __future__ import annotations

from typing import Literal, TypedDict

from codelocd.documents.answers import ActionOutcome


class ReleaseSource(TypedDict):
    """The folder that a release was copied from; of a commit also its name and what was asked."""

    folder: str
    ref: str | None
    commit: str | None


class ReleaseDocument(TypedDict):
    """One release: `at` is when it was last deployed, `uid` and `user` who did, `problem` why it
    did not load the last time, `path` where its files are."""

    id: str
    at: float
    uid: int | None
    user: str | None
    source: ReleaseSource
    files: int
    bytes: int
    served: bool
    problem: str | None
    state: Literal["current", "former", "failed", "unused"]
    path: str


class LocationReleases(TypedDict):
    """The releases of one location, the newest first. `root`: the folder that they take the place
    of, `ignore`: globs of what is not copied, seen from there. `current` None: the files in place
    are served. `keep`: how many stay."""

    location: str
    root: str
    ignore: list[str]
    current: str | None
    keep: int
    most_files: int
    most_bytes: int
    releases: list[ReleaseDocument]


class ReleasesDocument(TypedDict):
    """The result of `releases`."""

    locations: list[LocationReleases]


class ReleaseUpload(TypedDict):
    """The result of `release_upload`: the number for `release_content` and `deploy`, None where
    nothing has to be sent or only a dry run was asked for; the contents that have to be sent; and
    the paths in which the release differs from the current one."""

    release: str
    upload: int | None
    missing: list[str]
    missing_bytes: int
    files: int
    bytes: int
    added: list[str]
    changed: list[str]
    removed: list[str]


class DeployOutcome(ActionOutcome):
    """The result of `deploy` and `rollback`: what was to be served, None for the files in place,
    what was before, and the releases that were removed then."""

    release: str | None
    former: str | None
    removed: list[str]
