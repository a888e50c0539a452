"""Decides which files a location depends on, and what a change of them means."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from codeloc_envs.problem import shortage
from codelocd.daemon.location import Location
from codelocd.model import LocationSpec, Target
from codelocd.watch.notices import Watched
from codelocd.watch.watch import SourceWatch

BLOCK = b"# /// script"
"""The line that inline script metadata begin with."""

ASKED = 20
"""The number of changed files whose time is read: more than a save has, fewer than a checkout."""


def of(location: Location) -> Watched:
    """What is watched for a location: a change starts a candidate, or the choice of an
    environment."""
    spec = location.spec
    if spec.policy.reload == "manual":
        return Watched(frozenset(), (), (), (), str(spec.working_directory), frozenset())
    first = code(spec)
    return Watched(
        files=frozenset({str(first)} if first.suffix == ".py" else ()),
        roots=tuple({str(_folder(first)), *(str(Path(p).parent) for p in location.sources)}),
        patterns=(*spec.watch, *location.state.read),
        ignore=(*spec.ignore, *map(glob.escape, sorted(location.loops.left_out))),
        base=str(spec.working_directory),
        inputs=frozenset(str(path) for path in location.inputs),
    )


def follow(watch: SourceWatch, location: Location) -> None:
    """Watch what the location's description asks for now."""
    watch.follow(location.name, of(location))


def follow_if_possible(watch: SourceWatch, location: Location) -> None:
    """As `follow`. A shortage of the machine is ignored: the next start of a runner tries again."""
    try:
        follow(watch, location)
    except OSError as error:
        if not shortage(error):
            raise


def code(spec: LocationSpec) -> Path:
    """Where the code starts: its file, its package's folder, or the working directory."""
    target = spec.target
    assert isinstance(target, Target)
    if target.kind == "python_file":
        return Path(target.value)
    parts = target.value.split(".")
    for count in range(len(parts), 0, -1):
        for base in (spec.working_directory, spec.working_directory / "src"):
            found = base.joinpath(*parts[:count])
            if found.with_suffix(".py").is_file():
                return found.with_suffix(".py")
            if found.is_dir():
                return found
    return spec.working_directory


def where_installed(location: Location, module: str | None) -> Iterator[str]:
    """Globs of the places where a missing module would appear if the user installed it. Only for
    environments that users made: one that codelocd built changes by its description alone."""
    environment = location.environment
    if environment is None or environment.origin != "existing" or not module:
        return
    first = module.partition(".")[0]
    if not first.isidentifier():
        return
    root = environment.path or environment.executable.resolve().parent.parent
    for site in root.glob("lib*/python3*/site-packages"):
        place = glob.escape(str(site / first))
        yield from (f"{place}.py", f"{place}/__init__.py")


def describes_environment(spec: LocationSpec, paths: Iterable[str]) -> bool:
    """Whether one of the changed files describes the environment: it has inline script metadata,
    perhaps since this change."""
    first = code(spec)
    if first.suffix != ".py" or str(first) not in paths:
        return False
    try:
        return BLOCK in first.read_bytes()
    except OSError as error:
        return shortage(error) is not None  # it may have: the choice of the environment looks again


def newest(paths: Iterable[str]) -> float | None:
    """When the newest of these was last written, in Unix seconds."""
    times = []
    for path in islice(paths, ASKED):
        with contextlib.suppress(OSError):
            times.append(os.stat(path).st_mtime)
    return max(times, default=None)


def _folder(first: Path) -> Path:
    return first if first.is_dir() else first.parent
