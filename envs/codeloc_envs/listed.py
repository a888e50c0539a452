"""Which packages a description already names, and where."""

from __future__ import annotations

import contextlib
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from codeloc_envs.existing import inspect
from codeloc_envs.inline import read_metadata
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.pyproject import Pyproject, normalised, read_pyproject
from codeloc_envs.requirement_files import reached
from codeloc_envs.specification import Kind, Specification

_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Listing:
    """Where a package is named: a file; the condition it holds under, or the extra or group."""

    file: str
    marker: str = ""
    part: str = ""


def listed(specification: Specification, name: str) -> Listing | None:
    """Where the description names the distribution, None where it does not, or is unreadable."""
    wanted = normalised(Requirement(name).name)
    with contextlib.suppress(EnvironmentProblem, OSError):
        for text, file, part in _lines(specification):
            with contextlib.suppress(InvalidRequirement):
                requirement = Requirement(_COMMENT.sub("", text).strip())
                if normalised(requirement.name) == wanted:
                    return Listing(file, str(requirement.marker or ""), part)
    return None


def _lines(specification: Specification) -> Iterator[tuple[str, str, str]]:
    """Each requirement, the file it is in, and its extra or group."""
    request = specification.request
    yield from ((text, "--with", "") for text in request.added)
    yield from ((text, "packages", "") for text in request.packages)
    for file in reached(request.requirements):
        yield from ((text, str(file.path), "") for text in file.text.splitlines())
    if specification.kind is Kind.SCRIPT and specification.script is not None:
        metadata = read_metadata(specification.script)
        table = tomllib.loads(metadata.text) if metadata else {}
        yield from ((t, str(specification.script), "") for t in _texts(table.get("dependencies")))
    if specification.kind in (Kind.PROJECT, Kind.UV_LOCK, Kind.EXISTING):
        pyproject = (request.project or specification.directory) / "pyproject.toml"
        if pyproject.is_file():
            yield from _of_project(read_pyproject(pyproject))


def _of_project(found: Pyproject) -> Iterator[tuple[str, str, str]]:
    file, project = str(found.path), found.project or {}
    yield from ((text, file, "") for text in _texts(project.get("dependencies")))
    extras = project.get("optional-dependencies") or {}
    for name, texts in extras.items() if isinstance(extras, dict) else ():
        yield from ((text, file, f"the extra {name}") for text in _texts(texts))
    groups = found.data.get("dependency-groups") or {}
    for name, texts in groups.items() if isinstance(groups, dict) else ():
        yield from ((text, file, f"the group {name}") for text in _texts(texts))


def _texts(value: object) -> Iterable[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else ()


def adding_command(environment: Path, project: Path, name: str) -> str:
    """The command that installs a distribution into an environment that its owner keeps."""
    name = shlex.quote(name)
    if (project / "uv.lock").is_file():
        return f"uv add --project {project} {name}"
    if (project / "poetry.lock").is_file():
        return f"poetry add --directory {project} {name}"
    if (project / "pdm.lock").is_file():
        return f"pdm add --project {project} {name}"
    found = inspect(environment)
    python = found.executable if found else environment
    if found is not None and found.prefix is not None and not _has_pip(found.prefix):
        return f"uv pip install --python {python} {name}"
    return f"{python} -m pip install {name}"


def _has_pip(prefix: Path) -> bool:
    return any(prefix.glob("lib/python3*/site-packages/pip"))
