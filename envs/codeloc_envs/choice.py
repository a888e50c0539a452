"""Which environment a location gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from codeloc_envs.existing import Existing, inspect, require
from codeloc_envs.inline import read_metadata
from codeloc_envs.inputs import described_files
from codeloc_envs.neighbourhood import Neighbourhood
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.pyproject import normalised, read_pyproject
from codeloc_envs.specification import Kind, PythonWish, Request, Specification
from codeloc_envs.specifier import fits_text, is_path
from codeloc_envs.uv_lock import requires_of
from codeloc_envs.workspace import lock_of_workspace


@dataclass(frozen=True, slots=True)
class Choice:
    """The environment of a location, the rule that gave it, and the files it depends on."""

    specification: Specification
    why: str
    inputs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """What the rules look at."""

    asked: Request
    code: Path
    around: Neighbourhood
    activated: Path | None


@dataclass(frozen=True, slots=True)
class _Passed:
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
    _check(place.asked)
    passed: list[str] = []
    for rule in (_asked_for, _inline, _own, _activated, _described):
        found = rule(place)
        if isinstance(found, _Passed):
            passed.append(found.why)
        elif found is not None:
            break
    else:
        found = _bare(place)
    return replace(found, why="; ".join([found.why, *passed]))


def _check(asked: Request) -> None:
    for package in asked.packages:
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
    built = Specification(Kind.SCRIPT, place.code.parent, python=wish, script=place.code)
    return _built(place, built, f"inline script metadata in {place.code}")


def _own(place: _Place) -> Choice | _Passed | None:
    for folder in place.around.folders:
        found = inspect(folder / ".venv")
        if found is not None:
            return _fitting(place, found, f"the project's own environment {folder / '.venv'}")
    return None


def _activated(place: _Place) -> Choice | _Passed | None:
    if place.activated is None:
        return None
    found = inspect(place.activated)
    if found is None:
        return _Passed(f"the activated environment {place.activated} is not there")
    return _fitting(place, found, f"the activated environment {place.activated}")


def _fitting(place: _Place, found: Existing, what: str) -> Choice | _Passed:
    version, asked = found.stated_version, place.asked.python
    if asked and version and not fits_text(asked, version):
        return _Passed(f"{what} has Python {version}, not {asked}")
    return _existing(found, what)


def _described(place: _Place) -> Choice | None:
    found = place.around.description()
    if found is None:
        return None
    shared = lock_of_workspace(found.parent) if found.name != "uv.lock" else None
    if shared is not None:
        return _locked(place, shared, f"the lock of the workspace that {found.parent} is in")
    why = f"the nearest description, {found}"
    if found.name in ("uv.lock", "pylock.toml"):
        return _locked(place, found, why)
    if found.name == "pyproject.toml":
        return _project(place, found.parent, why)
    nearest = replace(place.asked, requirements=(found,))
    return _packages(replace(place, asked=nearest), why)


def _bare(place: _Place) -> Choice:
    bare = Specification(Kind.PACKAGES, place.around.start, python=_python(place))
    return _built(place, bare, "nothing describes an environment: a bare one")


def _packages(place: _Place, why: str | None = None) -> Choice:
    """pip and uv take paths in a requirements file relative to where they are started."""
    asked = place.asked
    directory = asked.requirements[0].parent if asked.requirements else place.around.start
    names = [*asked.packages, *(str(file) for file in asked.requirements)]
    built = Specification(Kind.PACKAGES, directory, asked, _python(place))
    return _built(place, built, why or f"asked for: {', '.join(names)}")


def _project(place: _Place, folder: Path, why: str) -> Choice:
    project = read_pyproject(folder / "pyproject.toml")
    asked = replace(place.asked, project=folder)
    _check_names("extra", asked.extras, project.extras, project.path)
    _check_names("group", asked.groups, project.groups, project.path)
    wish = Neighbourhood.of(folder).python(asked.python, project.requires_python, project.path)
    return _built(place, Specification(Kind.PROJECT, folder, asked, wish), f"{why} ({folder})")


def _locked(place: _Place, lock: Path, why: str) -> Choice:
    if lock.name == "uv.lock":
        kind = Kind.UV_LOCK
    elif lock.name.startswith("pylock.") and lock.suffix == ".toml":
        kind = Kind.PYLOCK
    else:
        raise EnvironmentProblem(
            f"{lock} is no lock file that is understood; uv.lock, pylock.toml and "
            "pylock.NAME.toml are (for a pinned requirements file: requirements)"
        )
    around = Neighbourhood.of(lock.parent)
    project = around.project()
    requires, source = (project.requires_python, project.path) if project else (None, lock)
    if requires is None and kind is Kind.UV_LOCK:
        requires, source = requires_of(lock), lock
    wish = around.python(place.asked.python, requires, source)
    asked = replace(place.asked, lock=lock)
    return _built(place, Specification(kind, lock.parent, asked, wish), f"{why} ({lock})")


def _check_names(
    what: str, asked: tuple[str, ...], known: frozenset[str] | None, path: Path
) -> None:
    for name in asked:
        if known is not None and normalised(name) not in known:
            there = ", ".join(sorted(known)) or "none"
            raise EnvironmentProblem(
                f'{path} has no {what} "{name}"; there is: {there}', inputs=(path,)
            )


def _python(place: _Place) -> PythonWish:
    project = place.around.project()
    requires, source = (project.requires_python, project.path) if project else (None, place.code)
    return place.around.python(place.asked.python, requires, source)


def _built(place: _Place, built: Specification, why: str) -> Choice:
    wish = built.python
    text = f"{wish.asked} ({wish.asked_by})" if wish.asked else "the newest"
    if wish.requires:
        text += f" within {wish.requires} ({wish.required_by})"
    installation = place.asked.installation
    built = replace(built, request=replace(built.request, installation=installation))
    inputs = dict.fromkeys([*described_files(built), *place.around.python_files(wish)])
    return Choice(built, f"{why}; Python: {text}", tuple(inputs))


def _existing(found: Existing, why: str) -> Choice:
    path = found.prefix or found.executable
    asked = Request(path=path)
    return Choice(Specification(Kind.EXISTING, path.parent, asked), why, found.files)
