"""From a specification to the commands of uv and of the pip that virtualenv carries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.interpreter import Interpreter
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.request import EnvironmentKind, Index, Request, Specification

EMPTY_LOCK = 'lock-version = "1.0"\ncreated-by = "codelocd"\npackages = []\n'
"""The lock of a bare environment."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the files of a specification say that decides how they are handed over.

    `is_package`: the project itself can be installed. `is_workspace`: it has members, which
    share the environment. `for_uv`: the script's metadata holds
    settings that only uv's own reading of scripts respects. `lines`: requirements that stand in
    a file which only another tool reads; `dependencies`: those of a script that uv cannot read,
    for it is in another coding than UTF-8.
    """

    is_package: bool = True
    is_workspace: bool = False
    for_uv: bool = False
    lines: tuple[str, ...] | None = None
    dependencies: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Resolving:
    """A command of uv that writes a lock; `requirements` go into the file it names, if any."""

    arguments: tuple[str, ...]
    requirements: tuple[str, ...] = ()


def resolving(
    specification: Specification, facts: Facts, python: Path, requirements: Path
) -> Resolving | None:
    """How to get a lock; None if nothing is installed. A pylock.toml is one already.

    Raises EnvironmentProblem for what uv cannot do.
    """
    request = specification.request
    match specification.kind:
        case EnvironmentKind.PACKAGES if not (
            request.packages or request.requirements or request.added
        ):
            return None
        case EnvironmentKind.PACKAGES:
            sources = [str(requirements), *map(str, request.requirements)]
            return Resolving(_compile(python, sources), (*request.packages, *request.added))
        case EnvironmentKind.SCRIPT if facts.for_uv and request.added:
            raise EnvironmentProblem(
                f"{specification.script} has settings for uv, beside which nothing can be added"
                " (--with); add it to the script's own dependencies"
            )
        case EnvironmentKind.SCRIPT if facts.for_uv:
            return Resolving(_export(python, "--script", str(specification.script)))
        case EnvironmentKind.SCRIPT if facts.dependencies is not None:
            listed = (*facts.dependencies, *request.added)
            return Resolving(_compile(python, [str(requirements)]), listed) if listed else None
        case EnvironmentKind.SCRIPT:
            script = str(specification.script)
            if not request.added:
                return Resolving(_compile(python, [script]))
            return Resolving(_compile(python, [script, str(requirements)]), request.added)
        case EnvironmentKind.PROJECT:
            return _project(request, facts, python, requirements)
        case EnvironmentKind.PIPENV:
            return _listed(request, facts.lines or (), python, requirements)
        case EnvironmentKind.UV_LOCK:
            folder = str(specification.directory)
            chosen = [*_flags("--extra", request.extras), *_flags("--group", request.groups)]
            chosen += ["--all-packages"] if facts.is_workspace else []
            return Resolving(_export(python, "--frozen", "--project", folder, *chosen))
        case kind:
            raise AssertionError(f"{kind} is not resolved")


def installing(
    specification: Specification,
    lock: Path,
    python: Path,
    rebuilt: Iterable[str],
    *,
    offline: bool,
) -> tuple[str, ...]:
    """How to install `lock`, of which `rebuilt` come from folders that uv must not answer for
    from its cache: it would not see a changed source (measured; uv issue 13876)."""
    chosen: list[str] = []
    if specification.kind is EnvironmentKind.PYLOCK:
        chosen += _flags("--extra", specification.request.extras)
        chosen += _flags("--group", specification.request.groups)
    return (
        *("pip", "sync", "--python", str(python)),
        *(["--offline"] if offline else []),
        *_flags("--reinstall-package", rebuilt),
        *chosen,
        str(lock),
    )


def _project(request: Request, facts: Facts, python: Path, requirements: Path) -> Resolving | None:
    """Itself editable, so that edits of its sources count; or its dependencies alone."""
    if facts.lines is not None:
        return _listed(request, facts.lines, python, requirements)
    file = f"{request.project}/pyproject.toml"
    groups = [f"--group={file}:{name}" for name in request.groups]
    if not facts.is_package:
        added = [str(requirements)] if request.added else []
        extras = _flags("--extra", request.extras)
        return Resolving(_compile(python, [file, *added, *extras, *groups]), request.added)
    extras_text = f"[{','.join(request.extras)}]" if request.extras else ""
    return Resolving(
        _compile(python, [str(requirements), *groups]),
        (f"-e {request.project}{extras_text}", *request.added),
    )


def _listed(
    request: Request, lines: tuple[str, ...], python: Path, requirements: Path
) -> Resolving | None:
    """What another tool's file asks for, and what was added to it."""
    wanted = (*lines, *request.added)
    return Resolving(_compile(python, [str(requirements)]), wanted) if wanted else None


def _compile(python: Path, sources: Iterable[str]) -> tuple[str, ...]:
    return ("pip", "compile", *_common(python), *sources)


def _export(python: Path, *what: str) -> tuple[str, ...]:
    return ("export", *_common(python), *what)


def _common(python: Path) -> tuple[str, ...]:
    return ("--python", str(python), "--format", "pylock.toml", "--no-header")


def _flags(name: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (name, value)]


OLDEST = (3, 10)
"""For older Pythons there is no pip that installs from a lock."""


def pip_command(interpreter: Interpreter, executable: Path) -> tuple[str, ...]:
    """pip, for where uv does not do: from the wheel that virtualenv carries.

    How pip is run by `executable`, a Python of the kind of `interpreter`.

    Raises EnvironmentProblem where there is no pip for it.
    """
    from virtualenv.seed.wheels.embed import get_embed_wheel

    version = f"{interpreter.version[0]}.{interpreter.version[1]}"
    wheel = get_embed_wheel("pip", version) if interpreter.version[:2] >= OLDEST else None
    if wheel is None:
        raise EnvironmentProblem(
            f'installer = "pip" needs Python 3.10 or newer, and this is {interpreter.label}; '
            'take another Python, or installer = "uv"'
        )
    return (str(executable), "-I", str(Path(wheel.path, "pip")))


def locking(
    specification: Specification, requirements: Path, output: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """pip's arguments that write a lock, and the lines of the file `requirements` among them.

    Raises EnvironmentProblem for what only uv reads.
    """
    request = specification.request
    common = ("lock", "--output", str(output))
    match specification.kind:
        case EnvironmentKind.PACKAGES:
            files = _each("--requirement", request.requirements)
            packages = (*request.packages, *request.added)
            own = ("--requirement", str(requirements)) if packages else ()
            return (*common, *files, *own), packages
        case EnvironmentKind.SCRIPT:
            added = ("--requirement", str(requirements)) if request.added else ()
            script = ("--requirements-from-script", str(specification.script))
            return (*common, *script, *added), request.added
        case kind:
            raise EnvironmentProblem(
                f'only uv installs a {kind.value}; take away installer = "pip"'
            )


def unpacking(lock: Path) -> tuple[str, ...]:
    """pip's arguments that install exactly what `lock` says."""
    return ("install", "--no-deps", "--no-compile", "--requirement", str(lock))


def variables_for_pip(inherited: Mapping[str, str], index: Index) -> dict[str, str]:
    """What pip inherits: its own configuration counts, unless `index` names other places."""
    variables = {name: value for name, value in inherited.items() if name != "PIP_REQUIRE_VENV"}
    if index.names_places:
        variables["PIP_CONFIG_FILE"] = os.devnull
        variables["PIP_INDEX_URL"] = index.url or variables.get("PIP_INDEX_URL", "")
        variables["PIP_EXTRA_INDEX_URL"] = " ".join(index.extra)
        variables["PIP_FIND_LINKS"] = " ".join(index.find_links)
    if index.certificate:
        variables["PIP_CERT"] = str(index.certificate)
    if index.keyring:
        variables["PIP_KEYRING_PROVIDER"] = "subprocess"
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "NO_COLOR": "1"}
    return {name: value for name, value in {**variables, **quiet}.items() if value}


def _each(option: str, values: Iterable[object]) -> tuple[str, ...]:
    return tuple(part for value in values for part in (option, str(value)))
