"""A config for the code that a folder has, or a small project where there is none."""

from __future__ import annotations

from pathlib import Path

from codelocd.cli.scaffold import samples
from codelocd.cli.scaffold.config_text import config_text
from codelocd.cli.scaffold.findings import Findings, look
from codelocd.config import discover

__all__ = ["Findings", "Plan", "UnfinishedError", "planned"]


class UnfinishedError(Exception):
    """Code that no config would make a location of; `str()` is one line that says what to add."""


class Plan:
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


def planned(folder: Path, *, dagster: bool) -> Plan:
    """What to write in `folder` (absolute); `dagster`: a project of Dagster's where there is none.

    Raises UnfinishedError, and FileExistsError where a file of the small project is there already.
    """
    found = discover(folder)
    if found is not None and found.folder == folder:
        return Plan(f"{found.taken} is read as it is", {}, config=found.path)
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
        return Plan(findings.told(), files, dagster=uses_dagster)
    name = findings.name
    new = samples.dagster(name) if dagster else samples.native(name)
    files = {folder / path: text for path, text in new.items()}
    for path in files:
        if path.exists():
            raise FileExistsError(path)
    return Plan(findings.told(), files, dagster=dagster)
