"""Finds the line that adds a missing package to a location's environment."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs import EnvironmentProblem, Specification
from codeloc_envs.project.listing import Listing, adding_command, adding_to, elsewhere, listed
from codeloc_envs.project.pyproject import read_project
from codelocd.model import LocationSpec, Target

DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dbt": "dbt-core",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "grpc": "grpcio",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "kafka": "kafka-python",
    "magic": "python-magic",
    "pkg_resources": "setuptools<81",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slack_sdk": "slack-sdk",
    "snowflake": "snowflake-connector-python",
    "snowflake.connector": "snowflake-connector-python",
    "snowflake.snowpark": "snowflake-snowpark-python",
    "win32api": "pywin32",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""Packages on PyPI whose modules have another name, those that are asked for most."""

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""https://packaging.python.org/en/latest/specifications/name-normalization/: no `_cffi_backend`,
no letters but those of ASCII."""

SHARED = ("google", "azure", "airflow", "zope")
"""Packages of many distributions: the name alone says nothing."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a location was declared, and its file if it is one."""

    declared_in: str
    script: Path | None = None

    @classmethod
    def of(cls, spec: LocationSpec) -> Origin:
        target = spec.target
        if isinstance(target, Target) and target.kind == "python_file":
            return cls(spec.declared_in, Path(target.value))
        return cls(spec.declared_in)

    @property
    def is_dagsters(self) -> bool:
        """It was declared in one of Dagster's formats."""
        file, _, table = self.declared_in.partition(" [")
        return file.startswith("/") and not _is_ours(table)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, in one line; `block` is what to paste where the line says so."""

    line: str
    block: str = ""


def distribution(module: str) -> str | None:
    """The distribution that has a module; None where the name does not say which."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        known = DISTRIBUTIONS.get(".".join(parts[:length]))
        if known:
            return known
    if parts[0] in SHARED:
        count = 3 if parts[:2] in (["google", "cloud"], ["airflow", "providers"]) else 2
        return "-".join(parts[:count]) if len(parts) >= count else None
    name = parts[0].replace("_", "-")
    return name if _DISTRIBUTION.fullmatch(name) else None


def remedy(module: str, environment: Specification, origin: Origin) -> Remedy | None:
    """What to write, and where, so that the location can import `module`.

    Looks at the files that describe the environment.
    """
    name = distribution(module)
    if name is None:
        return None
    found = listed(environment, name)
    if found is not None:
        return _though_listed(module, name, found, environment)
    return _REMEDIES[environment.kind](name, environment, origin)


def variable(name: str, spec: LocationSpec) -> str:
    """Where to set a variable that the code asks for."""
    file, _, table = spec.declared_in.partition(" [")
    if spec.env_file is not None:
        return f"set {name} in {spec.env_file}"
    if not file.startswith("/"):
        return f"set {name} in {spec.working_directory / '.env'}, or say --env {name}=VALUE"
    if _is_ours(table):
        return f'set it in [{table} of {file}: env = {{ {name} = "VALUE" }}'
    return f"set {name} in {Path(file).with_name('.env')}"


def _though_listed(
    module: str, name: str, found: Listing, environment: Specification
) -> Remedy | None:
    where = f"{name} is listed in {found.file}"
    if found.part:
        return Remedy(f"{where} in {found.part}, which this environment does not take")
    if found.marker:
        return Remedy(f"{where} only where {found.marker}")
    path = environment.request.path
    if path is not None:
        return Remedy(f"{where}, but not installed in {path}: install it there")
    return Remedy(f"{where} and installed, but has no module {module}: it is another package's")


def _packages(name: str, environment: Specification, origin: Origin) -> Remedy:
    request = environment.request
    if request.requirements:
        return Remedy(f"add {adding_to(request.requirements[0], name)}")
    file, _, table = origin.declared_in.partition(" [")
    if _is_ours(table):
        packages = ", ".join(f'"{each}"' for each in (*request.packages, name))
        line = f"[{table.removesuffix(']')}.environment] of {file}"
        return Remedy(f"write in {line}: packages = [{packages}]")
    if not file.startswith("/") and origin.script is not None:
        return _script_block(name, origin.script)
    with_ = "" if file.startswith("/") else f"say --with {shlex.quote(name)}, or "
    return Remedy(f"{with_}write {name} into {environment.directory / 'requirements.txt'}")


def _script_block(name: str, script: Path) -> Remedy:
    block = f'# /// script\n# dependencies = ["{name}"]\n# ///\n'
    with_ = f"say --with {shlex.quote(name)}"
    return Remedy(f"{with_}, or put these lines at the top of {script.name}", block)


def _is_ours(table: str) -> bool:
    """Whether it is a location of codelocd's own format, which takes variables and packages."""
    return table.startswith(("location.", "tool.codelocd.location."))


def _project(name: str, environment: Specification, _origin: Origin) -> Remedy:
    folder = environment.request.project or environment.directory
    try:
        file = read_project(folder)
    except EnvironmentProblem:  # it has gone, or been broken, since
        return Remedy(f'add "{name}" to dependencies in {folder / "pyproject.toml"}')
    if file.poetry is not None:
        return Remedy(f'add {name} = "*" to [tool.poetry.dependencies] in {file.path}')
    if file.project is not None and "dependencies" not in file.project.get("dynamic", ()):
        return Remedy(f'add "{name}" to dependencies in {file.path}')
    read, is_setuptools = elsewhere(file)
    if not is_setuptools:
        return Remedy(f"add {name} where {read} takes its dynamic dependencies from")
    if read.suffix in (".txt", ".in"):
        return Remedy(f"add {adding_to(read, name)}")
    return Remedy(f"add {name} to install_requires in {read}")


def _pipenv(name: str, environment: Specification, _origin: Origin) -> Remedy:
    file = environment.request.lock or environment.directory / "Pipfile"
    if file.name == "Pipfile":
        return Remedy(f'add {name} = "*" to [packages] in {file}')
    return Remedy(f"run in {file.parent}: pipenv install {shlex.quote(name)}")


def _script(name: str, environment: Specification, _origin: Origin) -> Remedy:
    return Remedy(f'add "{name}" to the dependencies at the top of {environment.script}')


def _uv_lock(name: str, environment: Specification, _origin: Origin) -> Remedy:
    return Remedy(f"run: uv add --project {environment.directory} {shlex.quote(name)}")


def _pylock(name: str, environment: Specification, _origin: Origin) -> Remedy:
    return Remedy(f"add {name} to what {environment.request.lock} is made from, and lock again")


def _existing(name: str, environment: Specification, _origin: Origin) -> Remedy:
    path = environment.request.path or environment.directory
    return Remedy(f"run: {adding_command(path, path.parent, name)}")


_REMEDIES = {
    "packages": _packages,
    "project": _project,
    "script": _script,
    "uv.lock": _uv_lock,
    "pylock.toml": _pylock,
    "Pipfile": _pipenv,
    "existing": _existing,
}
