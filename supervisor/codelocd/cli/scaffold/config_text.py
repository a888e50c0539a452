"""The text of a codelocd.toml for locations that were found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from codeloc_envs import EnvironmentProblem, choose
from codeloc_envs.request import EnvironmentKind
from codelocd.cli.scaffold.findings import Findings, Found
from codelocd.core.remedies import distribution

HEAD = "# Written by `codelocd init`; `codelocd config schema` says what else may stand here.\n"


def config_text(folder: Path, findings: Findings) -> str:
    """Ready to be written into `folder`; asks the disk what describes each environment."""
    return HEAD + "".join("\n" + "".join(_table(folder, each)) for each in findings.locations)


def _table(folder: Path, found: Found) -> Iterator[str]:
    name = _quoted(found.name) if "." in found.name else found.name
    yield f"[location.{name}]\n"
    if found.module is None:
        yield f"python_file = {_quoted(_relative(found.file, folder))}\n"
    else:
        yield f"module = {_quoted(found.module)}\n"
    if found.working_directory != folder:
        yield f"working_directory = {_quoted(_relative(found.working_directory, folder))}\n"
    if (file := _env_file(folder, found)) is not None:
        yield f"env_file = {_quoted(_relative(file, folder))}\n"
    if found.imports and _is_bare(folder, found):
        known = filter(None, map(distribution, sorted(found.imports)))
        packages = ", ".join(map(_quoted, known))
        yield f"\n[location.{name}.environment]    # nothing here says what it needs: its imports\n"
        yield f"packages = [{packages}]\n"


def _env_file(folder: Path, found: Found) -> Path | None:
    """The nearest `.env` from the code up to the config's folder."""
    return next((p / ".env" for p in _places(folder, found) if (p / ".env").is_file()), None)


def _is_bare(folder: Path, found: Found) -> bool:
    """Whether no file describes the environment, so that it would hold nothing."""
    try:
        chosen = [choose(None, code=place) for place in (found.file, *_places(folder, found))]
    except EnvironmentProblem:
        return False
    kinds = {(choice.specification.kind, choice.specification.text) for choice in chosen}
    return kinds == {(EnvironmentKind.PACKAGES, "no packages")}


def _places(folder: Path, found: Found) -> Iterator[Path]:
    """The folders from the code's own up to the config's, which will be the project's root."""
    for place in found.file.parents:
        yield place
        if place == folder:
            return


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _quoted(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)
