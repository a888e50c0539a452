"""The variables that uv runs with, and the files that they name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from codeloc_envs import credentials
from codeloc_envs.files import seen_bytes, seen_text
from codeloc_envs.install.pip_settings import pip_settings
from codeloc_envs.ownership import planted
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project.neighbourhood import upwards
from codeloc_envs.project.requirement_files import named_files
from codeloc_envs.request import ORDINARY, Index, Installation


def read_credential(name: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """A user's name and password, from a file that only the service may read.

    User and password in the credential `name`; raises EnvironmentProblem, which has neither.
    """
    file = (Path(variables.get(credentials.FOLDER, ""), name),)
    try:
        user, found, password = credentials.read(name, variables).strip().partition(":")
    except credentials.NoCredential as problem:
        raise EnvironmentProblem(f"index: {problem}", inputs=file) from None
    if not found or "\n" in password:
        raise EnvironmentProblem(
            f"index: the credential {file[0]} is not one line `user:password`", inputs=file
        )
    return user, password


NO_INDEX = "file:///nonexistent"
"""uv has no variable for pip's `no-index`; an index that is not there has no package."""

BUILD_VARIABLES = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "ARCHFLAGS")
"""What a compiler sees: other values, other extension modules."""

# They would send uv to another environment, Python or cache than the ones it is told.
_MISLEADING_UV = (
    "CACHE_DIR NO_CACHE PYTHON SYSTEM_PYTHON MANAGED_PYTHON NO_MANAGED_PYTHON TARGET PREFIX "
    "BREAK_SYSTEM_PACKAGES PROJECT WORKING_DIR FROZEN LOCKED COMPILE_BYTECODE LINK_MODE NO_SYNC "
    "ISOLATED REQUIRE_HASHES PREVIEW NO_WRAP"
)
_MISLEADING = (
    *(f"UV_{name}" for name in _MISLEADING_UV.split()),
    *("RUST_LOG", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHON", "__PYVENV_LAUNCHER__"),
)
OWN_INDEX = "codelocd"
"""What uv calls the index of the config, so that its credential can be named for it."""
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_NAMING_FILES = ("UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE")
"""Variables that name files, whose content decides what is resolved."""
_SECRET = ("_USERNAME", "_PASSWORD", "_TOKEN")
_UV_TABLE = re.compile(rb"^\s*\[\[?\s*tool\s*\.\s*uv\s*[\].]", re.M)
_HARMLESS = ("UV_CONCURRENT_", "UV_HTTP_", "UV_REQUEST_", "UV_OFFLINE", "UV_INSTALLER")


def variables_for_uv(
    inherited: Mapping[str, str],
    home: Path,
    cache: Path,
    installation: Installation = ORDINARY,
) -> dict[str, str]:
    """What uv inherits, and pip's configuration where uv has none of its own.

    An empty variable of uv's is one that is not set: pip's index must not give way to it. The index
    of `installation` replaces both. The cache lies on the filesystem of the
    environments, so that files are linked, not copied. Raises EnvironmentProblem.
    """
    index = installation.index
    if index.names_places:
        inherited = {name: text for name, text in inherited.items() if name not in _INDEXES}
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(_MISLEADING) and (value or not name.startswith("UV_"))
    }
    return {
        **_translated(pip_settings(inherited, home), kept, indexes=not index.names_places),
        **kept,
        **_of_index(index, inherited),
        "UV_CACHE_DIR": str(cache),
        "UV_LINK_MODE": installation.link_mode,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PREVIEW_FEATURES": "pylock",
        "RUST_LOG": "uv_installer::plan=debug",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # a build that imports the project leaves nothing in it
        "UV_NO_WRAP": "1",
    }


def settings_that_count(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of `variables_for_uv` that may change what is resolved; secrets left out."""
    ours = ("UV_CACHE_DIR", "UV_NO_WRAP")
    return {
        name: value
        for name, value in variables.items()
        if name in BUILD_VARIABLES
        or (
            name.startswith("UV_")
            and name not in ours
            and not name.startswith(_HARMLESS)
            and not name.endswith(_SECRET)
        )
    }


def files_named_for_uv(variables: Mapping[str, str], directory: Path) -> Iterator[Path]:
    """The files that uv's variables name: several divided by spaces, from where uv is started."""
    for name in _NAMING_FILES:
        yield from named_files(variables.get(name, ""), directory)


def uv_files(variables: Mapping[str, str], home: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """Where uv looks for settings of its own, there or not: in the first of `folders` that has
    any, and elsewhere."""
    yield from filter(None, fixed_uv_files(variables, home))
    yield from (folder / name for folder in folders for name in ("uv.toml", "pyproject.toml"))


def fixed_uv_files(variables: Mapping[str, str], home: Path) -> tuple[Path | None, ...]:
    """The file that a variable names instead of all others, then the user's and the system's.

    https://docs.astral.sh/uv/concepts/configuration-files/
    """
    named = variables.get("UV_CONFIG_FILE")
    config = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    system = variables.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)
    return (
        Path(named) if named else None,
        config / "uv/uv.toml",
        *(Path(folder, "uv/uv.toml") for folder in system if folder),
        Path("/etc/uv/uv.toml"),
    )


def begin_of_uv_settings(directory: Path) -> Path:
    """Where uv is to begin to look for its settings, upwards: `directory`, unless a file there or
    above cannot be read, which uv refuses, or was planted there by another user.

    Raises EnvironmentProblem for a file of the project itself with settings that uv cannot read.
    """
    begin = directory
    for folder in (directory, *directory.parents):
        for name in ("uv.toml", "pyproject.toml"):
            if not os.path.exists(os.path.join(folder, name)):
                continue
            file = folder / name
            if planted(file, directory):
                begin = folder.parent
                continue
            text = seen_text(file)
            own = text is None and folder in upwards(directory)
            if own and _is_meant_for_uv(file):
                raise EnvironmentProblem(
                    f"{file} is not UTF-8 text, and has settings of uv, which needs that; "
                    "save it as UTF-8",
                    inputs=(file,),
                )
            if text is None:
                begin = folder.parent
            elif file.name == "uv.toml" or _UV_TABLE.search(text.encode()):
                return begin
    return begin


def _is_meant_for_uv(file: Path) -> bool:
    data = seen_bytes(file)
    if data is None:  # a folder, a pipe: no settings
        return False
    return file.name == "uv.toml" or bool(_UV_TABLE.search(data))


def _of_index(index: Index, inherited: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if index.names_places:
        default = f"{OWN_INDEX}={index.url}" if index.url else ""
        found["UV_DEFAULT_INDEX"] = default or (NO_INDEX if not index.extra else "")
        found["UV_INDEX"] = " ".join(index.extra)
        found["UV_FIND_LINKS"] = ",".join(index.find_links)
    if index.certificate:
        found["SSL_CERT_FILE"] = str(index.certificate)
    if index.keyring:
        found["UV_KEYRING_PROVIDER"] = "subprocess"
    if index.credential:
        user, password = read_credential(index.credential, inherited)
        found[f"UV_INDEX_{OWN_INDEX.upper()}_USERNAME"] = user
        found[f"UV_INDEX_{OWN_INDEX.upper()}_PASSWORD"] = password
    return {name: text for name, text in found.items() if text}


def _translated(
    options: Mapping[str, str], kept: Mapping[str, str], *, indexes: bool
) -> dict[str, str]:
    """pip's options as uv's variables.

    A local index or folder of links that is not there is left out: pip passes over it,
    uv would fail. pip takes the best version of all indexes, uv by default the first index
    that has the name: where pip's extra indexes are used, so is its strategy.
    """
    found: dict[str, str] = {}
    if indexes and not any(name in kept for name in _INDEXES):
        found.update(_indexes(options))
    if cert := options.get("cert"):
        found["SSL_CERT_FILE"] = cert
    if hosts := options.get("trusted-host"):
        found["UV_INSECURE_HOST"] = " ".join(hosts.split())
    if proxy := options.get("proxy"):
        found["ALL_PROXY"] = proxy
    if options.get("keyring-provider") == "subprocess":
        found["UV_KEYRING_PROVIDER"] = "subprocess"
    return found


def _indexes(options: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    extra = list(_present(options.get("extra-index-url", "")))
    links = list(_present(options.get("find-links", "")))
    if default := next(_present(options.get("index-url", "")), None):
        found["UV_DEFAULT_INDEX"] = default
    if extra:
        found["UV_INDEX"] = " ".join(extra)
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if links:
        found["UV_FIND_LINKS"] = ",".join(links)
    if options.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return {**found, "UV_INDEX": "", "UV_DEFAULT_INDEX": NO_INDEX}
    return found


def _present(value: str) -> Iterator[str]:
    for place in value.split():
        parts = urlsplit(place)
        local = Path(unquote(parts.path)) if parts.scheme in ("", "file") else None
        if local is None or os.path.exists(local.expanduser()):
            yield place
