"""A location's description, with its paths in a release instead of in place. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from codeloc_envs import Request
from codelocd.model import LocationSpec, Target

SEARCH_PATH = "PYTHONPATH"


def release_root(spec: LocationSpec) -> Path:
    """The folder that a release takes the place of: what the config names, else that of the config
    itself where the code is in it, else the deepest one that holds the code."""
    if spec.release_root is not None:
        return spec.release_root
    folder = Path(spec.declared_in.partition(" [")[0]).parent
    places = [str(spec.working_directory)]
    if isinstance(spec.target, Target) and spec.target.kind == "python_file":
        places.append(str(Path(spec.target.value).parent))
    if folder.is_absolute() and all(Path(place).is_relative_to(folder) for place in places):
        return folder
    return Path(os.path.commonpath(places))


def in_release(spec: LocationSpec, release: str, tree: Path) -> LocationSpec:
    """The same location, loaded from `tree`.

    What is below the root moves: file, working directory, the files that describe its environment,
    and entries of PYTHONPATH. What belongs to the machine stays: an existing environment, an
    interpreter, variables. Nothing is watched, since a release never changes.
    """
    root, target = release_root(spec), spec.target
    assert isinstance(target, Target)
    if target.kind == "python_file":
        target = replace(target, value=str(moved(Path(target.value), root, tree)))
    return replace(
        spec,
        target=target,
        working_directory=moved(spec.working_directory, root, tree),
        environment=_request(spec.environment, root, tree),
        variables=_variables(spec.variables, root, tree),
        policy=replace(spec.policy, reload="manual"),
        activated_allowed=False,
        release=release,
    )


def moved(path: Path, root: Path, tree: Path) -> Path:
    """Its place in the tree, where it is below the root."""
    return tree / path.relative_to(root) if path.is_relative_to(root) else path


def needed(spec: LocationSpec) -> Iterator[str]:
    """The paths that a release of the location has to hold, relative to its root."""
    root, target = release_root(spec), spec.target
    assert isinstance(target, Target)
    paths = [spec.working_directory]
    if target.kind == "python_file":
        paths.append(Path(target.value))
    if (asked := spec.environment) is not None:
        paths += [*asked.requirements, *filter(None, (asked.project, asked.lock))]
    yield from (path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root))


def left_out(spec: LocationSpec) -> list[str]:
    """The globs of `ignore`, seen from the root."""
    root, base = str(release_root(spec)), str(spec.working_directory)
    found = [os.path.relpath(os.path.join(base, glob), root) for glob in spec.ignore]
    ends = ["/**" if glob.endswith("/") else "" for glob in spec.ignore]
    return [f"{glob}{end}" for glob, end in zip(found, ends, strict=True) if glob[:2] != ".."]


def _request(asked: Request | None, root: Path, tree: Path) -> Request | None:
    if asked is None:
        return None
    return replace(
        asked,
        requirements=tuple(moved(path, root, tree) for path in asked.requirements),
        project=moved(asked.project, root, tree) if asked.project else None,
        lock=moved(asked.lock, root, tree) if asked.lock else None,
    )


def _variables(variables: Mapping[str, str], root: Path, tree: Path) -> Mapping[str, str]:
    if SEARCH_PATH not in variables:
        return variables
    entries = variables[SEARCH_PATH].split(os.pathsep)
    found = [str(moved(Path(entry), root, tree)) if entry else entry for entry in entries]
    return {**variables, SEARCH_PATH: os.pathsep.join(found)}
