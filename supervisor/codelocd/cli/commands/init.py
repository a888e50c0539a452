"""`codelocd init`: write a config, or a small project."""

from __future__ import annotations

import json
import keyword
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from codeloc_envs import EnvironmentProblem, choose
from codeloc_envs.request import EnvironmentKind
from codelocd.cli import local, output
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.project_findings import Findings, FoundLocation, look
from codelocd.config import discover
from codelocd.core.remedies import distribution


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--dagster", is_flag=True, help="Where there is no code yet: a small Dagster project."
)
def init_command(folder: Path, dagster: bool) -> None:
    """Write a config for the code in a folder, or a small project where there is none.

    Reads the Python files of DIR, or of the current folder, and writes a codelocd.toml with one
    location for each file that holds definitions. Where there is a config that `codelocd dev`
    takes as it is, nothing is written. No file is ever written over.

    \b
    codelocd init
    codelocd init shop
    codelocd init shop --dagster
    """
    here = Path(os.path.abspath(folder))
    if here.exists() and not here.is_dir():
        raise Failure(f"{here} is a file; name a folder", ExitCode.USAGE)
    plan = _planned(here, dagster)
    output.note(plan.why)
    above = discover(here.parent)
    if plan.files and above is not None:
        output.note(f"below {above.folder}, whose config no longer counts here: {above.taken}")
    _write(plan.files)
    _refuse_invalid(here)
    _tell_next(here, "codelocd dev --dagster" if plan.dagster else "codelocd dev")


def _planned(here: Path, dagster: bool) -> ScaffoldPlan:
    try:
        return planned(here, dagster=dagster)
    except UnfinishedError as error:
        raise Failure(str(error)) from None
    except FileExistsError as error:
        remedy = "name a folder that does not exist yet"
        raise Failure(f"{error} is there and would be written over; {remedy}") from None


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        output.say(f"wrote {path}")


def _refuse_invalid(here: Path) -> None:
    """Fail if the config that is there, or was written, has mistakes."""
    found = discover(here)
    if found is not None:
        local.config_in(found.path, activated=True)


def _tell_next(here: Path, command: str) -> None:
    enter = "" if here == Path.cwd() else f"cd {shlex.quote(os.path.relpath(here))} && "
    output.say(f"next: {enter}{command}")


# --- a config for the code that a folder has ---------------------------------------------------

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
    new = dagster_project(name) if dagster else native_project(name)
    files = {folder / path: text for path, text in new.items()}
    for path in files:
        if path.exists():
            raise FileExistsError(path)
    return ScaffoldPlan(findings.told(), files, dagster=dagster)


# --- small projects that work as they are ------------------------------------------------------

PACKAGES = ("codeloc", "dagster", "src", "test", "tests")
"""Names that a package of the small project must not have."""

NATIVE = '''\
"""What this location defines. Save a change while `codelocd dev` runs: it says what changed."""

from codeloc import Definitions, asset, asset_check, asset_job, schedule


@asset(group="shop")
def raw_orders():
    """Every order, as it came."""
    return [{"customer": "ada", "amount": 12.5}, {"customer": "bob", "amount": 8.0}]


@asset(group="shop")
def revenue(raw_orders):
    """What each customer spent. A parameter is an upstream asset, or a resource."""
    spent = {}
    for order in raw_orders:
        spent[order["customer"]] = spent.get(order["customer"], 0) + order["amount"]
    return spent


@asset_check(asset="revenue")
def nobody_owes_us(revenue):
    """No sum is negative."""
    return all(amount >= 0 for amount in revenue.values())


nightly = asset_job("nightly", ["raw_orders", "revenue"])


@schedule(cron="0 6 * * *", job="nightly", timezone="UTC")
def every_morning(context):
    """Before people are at work."""


defs = Definitions(
    assets=[raw_orders, revenue],
    asset_checks=[nobody_owes_us],
    jobs=[nightly],
    schedules=[every_morning],
)
'''

CONFIG = """\
# What codelocd runs here; `codelocd config schema` says what else may stand here.

[location.{name}]
python_file = "definitions.py"

# [location.{name}.environment]
# packages = ["pandas>=2"]
"""

DAGSTER = '''\
"""What this project defines. Save a change while `codelocd dev --dagster` runs: it is shown."""

import dagster as dg


@dg.asset(group_name="shop")
def raw_orders() -> list[dict]:
    """Every order, as it came."""
    return [{"customer": "ada", "amount": 12.5}, {"customer": "bob", "amount": 8.0}]


@dg.asset(group_name="shop")
def revenue(raw_orders: list[dict]) -> dict[str, float]:
    """What each customer spent."""
    spent: dict[str, float] = {}
    for order in raw_orders:
        spent[order["customer"]] = spent.get(order["customer"], 0) + order["amount"]
    return spent


@dg.asset_check(asset=revenue)
def nobody_owes_us(revenue: dict[str, float]) -> dg.AssetCheckResult:
    """No sum is negative."""
    return dg.AssetCheckResult(passed=all(amount >= 0 for amount in revenue.values()))


nightly = dg.define_asset_job("nightly", selection=["raw_orders", "revenue"])

every_morning = dg.ScheduleDefinition(name="every_morning", job=nightly, cron_schedule="0 6 * * *")

defs = dg.Definitions(
    assets=[raw_orders, revenue],
    asset_checks=[nobody_owes_us],
    jobs=[nightly],
    schedules=[every_morning],
)
'''

PYPROJECT = """\
# Read by `codelocd dev` as it is, and by `dagster dev` and `dg`, too.

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{module}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["dagster>=1.11"]

[tool.hatch.build.targets.wheel]
packages = ["src/{module}"]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{module}"
code_location_name = "{name}"
"""


def native_project(name: str) -> dict[str, str]:
    """A file of definitions and its config, for a location of that name."""
    return {"codelocd.toml": CONFIG.format(name=name), "definitions.py": NATIVE}


def dagster_project(name: str) -> dict[str, str]:
    """A Dagster project that Dagster's own tools read as well."""
    module = _module(name)
    return {
        "pyproject.toml": PYPROJECT.format(name=name, module=module),
        f"src/{module}/__init__.py": "",
        f"src/{module}/definitions.py": DAGSTER,
    }


def _module(name: str) -> str:
    """A name that can be imported, and that hides no module of Python's or of Dagster's."""
    module = re.sub(r"\W", "_", name.lower(), flags=re.ASCII)
    if not module.isidentifier():
        return f"project_{module}"
    taken = keyword.iskeyword(module) or module in sys.stdlib_module_names or module in PACKAGES
    return f"{module}_project" if taken else module
