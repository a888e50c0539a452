"""Checks that the environment of a location in one of Dagster's formats has dagster, and says how
to add it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from codeloc_envs import Environment, EnvironmentProblem, Specification
from codeloc_envs.project.listing import listed
from codelocd.core import remedies
from codelocd.daemon.sources import code
from codelocd.model import LocationSpec, Target

NAME = "dagster"
_ASKED = "import importlib.util as u; raise SystemExit(u.find_spec('dagster') is None)"
_PATIENCE = 10.0
_NATIVE = re.compile(rb"^\s*(?:from|import)\s+codeloc\b", re.MULTILINE)
_FILES = 200
"""The number of files that are searched for an import of codeloc."""


def require_dagster(
    spec: LocationSpec,
    environment: Environment,
    described: Specification,
    inputs: tuple[Path, ...],
) -> None:
    """Raises EnvironmentProblem where Dagster's format names code that cannot import dagster.

    Code that imports codeloc has definitions of its own and needs none. Starts a process where
    dagster does not stand where it is usually installed.
    """
    if not remedies.Origin.of(spec).is_dagsters or _has_dagster(environment, spec):
        return
    if any(_NATIVE.search(text) for text in _texts(spec)):
        return
    file = spec.declared_in.partition(" [")[0]
    remedy = _remedy(spec, described)
    raise EnvironmentProblem(
        f"the environment has no dagster, which {Path(file).name} is for; {remedy.line}",
        remedy.block,
        inputs=(*inputs, *_sites(environment)),
    )


def _has_dagster(environment: Environment, spec: LocationSpec) -> bool:
    if any(site.exists() for site in _sites(environment)):
        return True
    try:
        done = subprocess.run(
            [environment.executable, "-c", _ASKED],
            cwd=spec.working_directory,
            env={**os.environ, **spec.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return True  # the runner will report what is wrong with it
    return done.returncode != 1


def _sites(environment: Environment) -> Iterator[Path]:
    root = environment.path or environment.executable.resolve().parent.parent
    for site in root.glob("lib*/python3*/site-packages"):
        yield site / NAME / "__init__.py"


def _texts(spec: LocationSpec) -> Iterator[bytes]:
    first = code(spec)
    files = islice(first.rglob("*.py"), _FILES) if first.is_dir() else [first]
    for file in files:
        try:
            yield file.read_bytes()
        except OSError:
            continue


def _remedy(spec: LocationSpec, described: Specification) -> remedies.Remedy:
    found = listed(described, NAME)
    kind, _, part = (found.part if found else "").removeprefix("the ").partition(" ")
    lines = _location(spec, described, kind, part) if part else None
    if found is None or lines is None:
        known = remedies.remedy(NAME, described, remedies.Origin.of(spec))
        return known or remedies.Remedy("add it")
    config = Path(spec.declared_in.partition(" [")[0]).with_name("codelocd.toml")
    return remedies.Remedy(
        f"{found.file} has it in its {kind} {part} only: move it to dependencies, or "
        f"write {config}, which is then read instead, with {kind}s = [{json.dumps(part)}]",
        f"# {config}\n{lines}",
    )


def _location(spec: LocationSpec, described: Specification, kind: str, part: str) -> str | None:
    """The location as a table of codelocd.toml, None where that has no word for it."""
    target, folder = spec.target, Path(spec.declared_in.partition(" [")[0]).parent
    if not isinstance(target, Target) or target.kind == "autoload_defs_module":
        return None
    is_file = target.kind == "python_file"
    value = os.path.relpath(target.value, folder) if is_file else target.value
    lock = described.request.lock
    source = "project" if lock is None else "lock"
    path = lock or described.request.project or described.directory
    lines = [
        f"[location.{json.dumps(re.sub(r'[^A-Za-z0-9_.-]', '-', spec.name))}]",
        f"{target.kind} = {json.dumps(value)}",
    ]
    if spec.attribute:
        lines.append(f"attribute = {json.dumps(spec.attribute)}")
    if spec.working_directory != folder:
        lines.append(f"working_directory = {json.dumps(str(spec.working_directory))}")
    where = json.dumps(os.path.relpath(path, folder))
    lines.append(f"environment = {{ {source} = {where}, {kind}s = [{json.dumps(part)}] }}")
    return "\n".join(lines) + "\n"
