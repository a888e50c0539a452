"""The words between the daemon and the watch: what counts for a location, and what changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watched:
    """What counts for one location. Every path is absolute.

    `files`: imported sources, wherever they live. `roots`: folders of the location's own code:
    new modules there count, existing ones that nothing imported do not. `patterns` and `ignore`:
    globs relative to `base`. `inputs`: files that decide about the environment, and config files.
    """

    files: frozenset[str]
    roots: tuple[str, ...]
    patterns: tuple[str, ...]
    ignore: tuple[str, ...]
    base: str
    inputs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """Where a location stands after something changed.

    `differing`: how many watched files differ from what is served, or, if nothing is, from what
    the newest attempt saw. `paths`: those that differ from what the newest attempt saw, sorted.
    `inputs`: one of them is an input.
    """

    differing: int
    paths: tuple[str, ...]
    inputs: bool
