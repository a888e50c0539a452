"""pip, for where uv does not do: from the wheel that virtualenv carries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from codeloc_envs.installation import Index
from codeloc_envs.interpreter import Interpreter
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.specification import Kind, Specification

OLDEST = (3, 10)
"""For older Pythons there is no pip that installs from a lock."""


def pip_command(interpreter: Interpreter, executable: Path) -> tuple[str, ...]:
    """How pip is run by `executable`, a Python of the kind of `interpreter`.

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
        case Kind.PACKAGES:
            files = _each("--requirement", request.requirements)
            packages = (*request.packages, *request.added)
            own = ("--requirement", str(requirements)) if packages else ()
            return (*common, *files, *own), packages
        case Kind.SCRIPT:
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
