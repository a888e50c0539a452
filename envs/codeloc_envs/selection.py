"""Chooses the environment that a location gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from packaging.utils import canonicalize_name

from codeloc_envs.environment import Existing, environment_files, inspect, require
from codeloc_envs.inputs import described_files, looked_for, settings_files
from codeloc_envs.interpreter import fits_text, is_path
from codeloc_envs.ownership import planted
from codeloc_envs.problem import EnvironmentProblem, without_passwords
from codeloc_envs.project.neighbourhood import (
    ENVIRONMENT,
    LOCKS,
    PROJECT_FILES,
    Neighbourhood,
    upwards,
)
from codeloc_envs.project.other_tools import PIPENV_FILES, pipenv_python
from codeloc_envs.project.pyproject import Pyproject, read_project
from codeloc_envs.project.script import read_metadata
from codeloc_envs.project.workspace import lock_of_workspace, requires_of
from codeloc_envs.request import EnvironmentKind, PythonWish, Request, Specification


@dataclass(frozen=True, slots=True)
class Choice:
    """The environment of a location, the rule that gave it, and the files it depends on.

    `inputs` describe it. `looked_at` are all other places that were looked at, most of them in
    vain: what comes there, or changes, may make another choice.
    """

    specification: Specification
    why: str
    inputs: tuple[Path, ...]
    looked_at: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """What the rules look at."""

    asked: Request
    code: Path
    around: Neighbourhood
    activated: Path | None


@dataclass(frozen=True, slots=True)
class _SkippedRule:
    """A rule that would have hit, and why it did not."""

    why: str


def choose(request: Request | None, *, code: Path, activated: Path | None = None) -> Choice:
    """The environment for `code`, a file or the folder a module is imported from.

    The first rule that hits wins: what `request` says; inline script metadata; the project's
    own `.venv`; the environment `activated` in the caller's shell; the nearest description
    of one; a bare one. A request for nothing but a Python leaves the rest to the other rules, and
    an existing environment of another Python is passed over.
    Raises EnvironmentProblem.
    """
    place = _Place(request or Request(), code, Neighbourhood.of(code), activated)
    try:
        found = _first(place)
    except EnvironmentProblem as problem:
        problem.inputs = _joined(problem.inputs, _looked_at(place))
        raise
    return replace(found, looked_at=_joined(found.looked_at, _looked_at(place)))


def _first(place: _Place) -> Choice:
    _check(place.asked)
    passed: list[str] = []
    for rule in (_asked_for, _inline, _own, _activated, _described):
        found = rule(place)
        if isinstance(found, _SkippedRule):
            passed.append(found.why)
        elif found is not None:
            break
    else:
        found = _bare(place)
    _check_added(place.asked.added, found.specification)
    why = found.specification.with_added(found.why)
    return replace(found, why=without_passwords("; ".join([why, *passed])))


def _check_added(added: tuple[str, ...], found: Specification) -> None:
    """Refuse to add packages to an environment that is locked, or that the user made."""
    if added and found.kind in (
        EnvironmentKind.EXISTING,
        EnvironmentKind.UV_LOCK,
        EnvironmentKind.PYLOCK,
    ):
        what = found.request.lock or found.request.path
        raise EnvironmentProblem(
            f"nothing can be added (--with) to {what}, which is taken as it is;"
            f" install {' '.join(added)} there, or name another environment",
            inputs=(what,) if what else (),
        )


def _looked_at(place: _Place) -> Iterator[Path]:
    """What the rules looked at, found or not: they choose anew when one of it comes or goes."""
    yield from place.around.looked_at()
    if place.activated is not None:
        yield from environment_files(place.activated)
    for folder in place.around.reach:  # a uv workspace around the project
        yield from (folder / "pyproject.toml", folder / "uv.lock")


def _joined(*paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(paths)))


def _check(asked: Request) -> None:
    for package in (*asked.packages, *asked.added):
        if package.startswith(("-", ".")):
            raise EnvironmentProblem(
                f'packages: "{package}" is no requirement; write `name @ file:///path`, '
                "or put it in a requirements file"
            )
    if (asked.extras or asked.groups) and not (asked.project or asked.lock):
        raise EnvironmentProblem("extras and groups belong to a project or a lock; name one")


def _asked_for(place: _Place) -> Choice | None:
    asked = place.asked
    if asked.path is not None:
        return _existing(require(asked.path, "asked for"), f"asked for: {asked.path}")
    if asked.project is not None:
        return _project(place, asked.project, "asked for: project")
    if asked.lock is not None:
        return _locked(place, asked.lock, "asked for: lock")
    if asked.packages or asked.requirements:
        return _packages(place)
    if asked.python and is_path(asked.python):
        python = Path(asked.python).expanduser()
        return _existing(require(python, "asked for"), f"asked for: {python}, as it is")
    return None


def _inline(place: _Place) -> Choice | None:
    if not place.code.is_file():
        return None
    metadata = read_metadata(place.code)
    if metadata is None:
        return None
    wish = place.around.python(place.asked.python, metadata.requires_python, place.code)
    built = Specification(EnvironmentKind.SCRIPT, place.code.parent, python=wish, script=place.code)
    return _built(place, built, f"inline script metadata in {place.code}")


def _own(place: _Place) -> Choice | _SkippedRule | None:
    for folder in place.around.folders:
        found = inspect(folder / ENVIRONMENT)
        if found is not None:
            _refuse_planted(place, folder / ENVIRONMENT)
            return _fitting(place, found, f"the project's own environment {folder / '.venv'}")
    return None


def _refuse_planted(place: _Place, entry: Path) -> None:
    """Raises EnvironmentProblem where another user has put it beside the code: what it says would
    be run."""
    why = planted(entry, place.code)
    if why:
        raise EnvironmentProblem(
            f"{why}, and decides what is run for {place.code}; remove it, or move the code to a "
            "folder that others cannot write to",
            inputs=(entry,),
        )


def _activated(place: _Place) -> Choice | _SkippedRule | None:
    if place.activated is None:
        return None
    found = inspect(place.activated)
    if found is None:
        return _SkippedRule(f"the activated environment {place.activated} is not there")
    return _fitting(place, found, f"the activated environment {place.activated}")


def _fitting(place: _Place, found: Existing, what: str) -> Choice | _SkippedRule:
    version, asked = found.stated_version, place.asked.python
    if asked and version and not fits_text(asked, version):
        return _SkippedRule(f"{what} has Python {version}, not {asked}")
    return _existing(found, what)


def _described(place: _Place) -> Choice | None:
    found = place.around.description()
    if found is None:
        return None
    _refuse_planted(place, found)
    shared = lock_of_workspace(found.parent) if found.name != "uv.lock" else None
    if shared is not None:
        return _locked(place, shared, f"the lock of the workspace that {found.parent} is in")
    why = f"the nearest description, {found}"
    if found.name in LOCKS:
        return _locked(place, found, why)
    if found.name in PIPENV_FILES:
        return _pipenv(place, found, why)
    if found.name in PROJECT_FILES:
        return _project(place, found.parent, why)
    nearest = replace(place.asked, requirements=(found,))
    return _packages(replace(place, asked=nearest), why)


def _bare(place: _Place) -> Choice:
    bare = Specification(EnvironmentKind.PACKAGES, place.around.start, python=_python(place))
    return _built(place, bare, "nothing describes an environment: a bare one")


def _packages(place: _Place, why: str | None = None) -> Choice:
    """pip and uv take paths in a requirements file relative to where they are started."""
    asked = place.asked
    directory = asked.requirements[0].parent if asked.requirements else place.around.start
    names = [*asked.packages, *(str(file) for file in asked.requirements)]
    built = Specification(EnvironmentKind.PACKAGES, directory, asked, _python(place))
    return _built(place, built, why or f"asked for: {', '.join(names)}")


def _pipenv(place: _Place, file: Path, why: str) -> Choice:
    wish = place.around.python(place.asked.python, pipenv_python(file), file)
    asked = replace(place.asked, lock=file)
    return _built(place, Specification(EnvironmentKind.PIPENV, file.parent, asked, wish), why)


def _project(place: _Place, folder: Path, why: str) -> Choice:
    project = read_project(folder)
    asked = replace(place.asked, project=folder)
    _check_names("extra", asked.extras, project.extras, project.path)
    _check_names("group", asked.groups, project.groups, project.path)
    wish = Neighbourhood.of(folder).python(asked.python, project.requires_python, project.path)
    return _built(
        place, Specification(EnvironmentKind.PROJECT, folder, asked, wish), f"{why} ({folder})"
    )


def _locked(place: _Place, lock: Path, why: str) -> Choice:
    if lock.name in PIPENV_FILES:
        return _pipenv(place, lock, f"{why} ({lock})")
    if lock.name == "uv.lock":
        kind = EnvironmentKind.UV_LOCK
    elif lock.name.startswith("pylock.") and lock.suffix == ".toml":
        kind = EnvironmentKind.PYLOCK
    else:
        raise EnvironmentProblem(
            f"{lock} is no lock file that is understood; uv.lock, pylock.toml, "
            "pylock.NAME.toml and Pipfile.lock are (for a pinned requirements file: requirements)"
        )
    around = Neighbourhood.of(lock.parent)
    project = around.project() if kind is EnvironmentKind.UV_LOCK else _seen_project(around)
    requires, source = (project.requires_python, project.path) if project else (None, lock)
    if requires is None and kind is EnvironmentKind.UV_LOCK:
        requires, source = requires_of(lock), lock
    wish = around.python(place.asked.python, requires, source)
    asked = replace(place.asked, lock=lock)
    return _built(place, Specification(kind, lock.parent, asked, wish), f"{why} ({lock})")


def _check_names(
    what: str, asked: tuple[str, ...], known: frozenset[str] | None, path: Path
) -> None:
    for name in asked:
        if known is not None and canonicalize_name(name) not in known:
            there = ", ".join(sorted(known)) or "none"
            raise EnvironmentProblem(
                f'{path} has no {what} "{name}"; there is: {there}', inputs=(path,)
            )


def _python(place: _Place) -> PythonWish:
    project = _seen_project(place.around)
    requires, source = (project.requires_python, project.path) if project else (None, place.code)
    return place.around.python(place.asked.python, requires, source)


def _seen_project(around: Neighbourhood) -> Pyproject | None:
    """A project file that describes nothing here is only asked which Pythons it is for."""
    try:
        return around.project()
    except EnvironmentProblem:
        return None


def _built(place: _Place, built: Specification, why: str) -> Choice:
    wish = built.python
    text = f"{wish.asked} ({wish.asked_by})" if wish.asked else "the newest"
    if wish.requires:
        text += f" within {wish.requires} ({wish.required_by})"
    installation = place.asked.installation
    request = replace(built.request, installation=installation, added=place.asked.added)
    built = replace(built, request=request)
    named = place.around.python_files(wish)
    around = place.around
    reach = around.reach if built.directory == around.start else upwards(built.directory)
    aside = _joined(looked_for(built), settings_files(built, reach))
    return Choice(built, f"{why}; Python: {text}", _joined(described_files(built), named), aside)


def _existing(found: Existing, why: str) -> Choice:
    path = found.prefix or found.executable
    asked = Request(path=path)
    return Choice(Specification(EnvironmentKind.EXISTING, path.parent, asked), why, found.files)
