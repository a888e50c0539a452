"""A config for the code that a folder has, or a small project where there is none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from codeloc_envs import EnvironmentProblem, choose
from codeloc_envs.request import EnvironmentKind
from codelocd.cli.scaffold import samples
from codelocd.cli.scaffold.findings import Findings, FoundLocation, look
from codelocd.config import discover
from codelocd.core.remedies import distribution

HEAD = "# Written by `codelocd init`; `codelocd config schema` says what else may stand here.\n"


def config_text(folder: Path, findings: Findings) -> str:
    """Ready to be written into `folder`; asks the disk what describes each environment."""
    return HEAD + "".join("\n" + "".join(_table(folder, each)) for each in findings.locations)


def _table(folder: Path, found: FoundLocation) -> Iterator[str]:
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


def _env_file(folder: Path, found: FoundLocation) -> Path | None:
    """The nearest `.env` from the code up to the config's folder."""
    return next((p / ".env" for p in _places(folder, found) if (p / ".env").is_file()), None)


def _is_bare(folder: Path, found: FoundLocation) -> bool:
    """Whether no file describes the environment, so that it would hold nothing."""
    try:
        chosen = [choose(None, code=place) for place in (found.file, *_places(folder, found))]
    except EnvironmentProblem:
        return False
    kinds = {(choice.specification.kind, choice.specification.text) for choice in chosen}
    return kinds == {(EnvironmentKind.PACKAGES, "no packages")}


def _places(folder: Path, found: FoundLocation) -> Iterator[Path]:
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


class UnfinishedError(Exception):
    """Code that no config would make a location of; `str()` is one line that says what to add."""


class ScaffoldPlan:
    """What `init` does in a folder.

    `files` are to be written, by their paths, none of which is there; `config` is what the folder
    has already. `why` is a line for people, `dagster` says whether Dagster's code is in it.
    """

    __slots__ = ("config", "dagster", "files", "why")

    def __init__(
        self, why: str, files: dict[Path, str], *, config: Path | None = None, dagster: bool = False
    ) -> None:
        self.why = why
        self.files = files
        self.config = config
        self.dagster = dagster


def planned(folder: Path, *, dagster: bool) -> ScaffoldPlan:
    """What to write in `folder` (absolute); `dagster`: a project of Dagster's where there is none.

    Raises UnfinishedError, and FileExistsError where a file of the small project is there already.
    """
    found = discover(folder)
    if found is not None and found.folder == folder:
        return ScaffoldPlan(f"{found.taken} is read as it is", {}, config=found.path)
    findings = look(folder)
    if findings.unfinished:
        first = findings.unfinished[0]
        raise UnfinishedError(
            f"{first} has assets of codeloc that no Definitions holds; add"
            " `defs = Definitions(assets=[...])` with their names in the list"
        )
    if findings.locations:
        files = {folder / "codelocd.toml": config_text(folder, findings)}
        uses_dagster = any(each.package == "dagster" for each in findings.locations)
        return ScaffoldPlan(findings.told(), files, dagster=uses_dagster)
    name = findings.name
    new = samples.dagster(name) if dagster else samples.native(name)
    files = {folder / path: text for path, text in new.items()}
    for path in files:
        if path.exists():
            raise FileExistsError(path)
    return ScaffoldPlan(findings.told(), files, dagster=dagster)
