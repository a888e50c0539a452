"""One location's table: the rules for its keys, and the location that it describes. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

from codeloc_envs import Request
from codeloc_envs.request import ANYWHERE, Index, Installation
from codelocd.config.document import Document
from codelocd.config.engine import placement
from codelocd.config.env_files import EnvFiles
from codelocd.config.environment import EnvironmentTable, IndexTable
from codelocd.config.errors import ConfigError, KeyPath, Mistake, UnfitError
from codelocd.config.tables import LocationTable
from codelocd.config.values import FromCredential, FromEnv
from codelocd.config.variables import Variables
from codelocd.model import (
    Backoff,
    Config,
    DaemonSettings,
    DagsterSettings,
    LocationSpec,
    MetricsSettings,
    NotifySettings,
    PageSettings,
    Policy,
    RestartLimit,
    Target,
)
from codelocd.placement import NO_ENGINE
from codelocd.settings import NO_RUNS


def location(
    document: Document,
    name: str,
    table: LocationTable,
    files: EnvFiles,
    environ: Mapping[str, str],
    index: Index,
) -> LocationSpec:
    """The location of a complete, valid table whose variables are all set."""
    env_file = path_of(document, table.env_file)
    return LocationSpec(
        name=name,
        target=_target(document, table),
        working_directory=path_of(document, table.working_directory) or document.folder,
        declared_in=document.place(("location", name)),
        attribute=table.attribute,
        variables=_variables(table, files[env_file] if env_file else {}, environ),
        credentials=_credentials(table),
        env_file=env_file,
        environment=request_of(document, table.environment, index),
        watch=tuple(table.watch),
        ignore=tuple(table.ignore),
        policy=_policy(table),
        user=table.user,
        group=table.group,
        placement=placement(table),
        release_root=path_of(document, table.release_root),
    )


def _target(document: Document, table: LocationTable) -> Target:
    if table.python_file:
        return Target("python_file", str(document.absolute(table.python_file)))
    if table.module:
        return Target("module", table.module)
    if table.package:
        return Target("package", table.package)
    return Target("autoload_defs_module", table.autoload_defs_module or "")


def _variables(
    table: LocationTable, file: Mapping[str, str], environ: Mapping[str, str]
) -> Variables:
    sources = {
        name: value.from_env for name, value in table.env.items() if isinstance(value, FromEnv)
    }
    referred = {name: environ[source] for name, source in sources.items()}
    literal = {name: value for name, value in table.env.items() if isinstance(value, str)}
    values = {**file, **referred, **literal}
    for name in _credentials(table):
        values.pop(name, None)
    return Variables(values, literal, sources)


def _credentials(table: LocationTable) -> dict[str, str]:
    return {
        name: value.credential
        for name, value in table.env.items()
        if isinstance(value, FromCredential)
    }


def index(document: Document, table: IndexTable) -> Index:
    return Index(
        url=table.url,
        extra=tuple(table.extra),
        find_links=tuple(_link(document, text) for text in table.find_links),
        certificate=path_of(document, table.certificate),
        keyring=table.keyring,
        credential=table.credential,
    )


def _link(document: Document, text: str) -> str:
    return text if "://" in text else str(document.absolute(text))


def request_of(
    document: Document, written: EnvironmentTable | None, index: Index
) -> Request | None:
    """None where nothing is asked for: then the code's own files decide all of it."""
    if written is None and index == ANYWHERE:
        return None
    table = written or EnvironmentTable()
    python = table.python
    return Request(
        installation=Installation(
            index, table.link_mode, table.installer, table.allow_python_download
        ),
        python=str(document.absolute(python)) if python and "/" in python else python,
        packages=tuple(table.packages),
        requirements=tuple(map(document.absolute, table.requirements)),
        project=path_of(document, table.project),
        extras=tuple(table.extras),
        groups=tuple(table.groups),
        lock=path_of(document, table.lock),
        path=path_of(document, table.path),
    )


def _policy(table: LocationTable) -> Policy:
    plain = {field.name: getattr(table, field.name) for field in fields(Policy)}
    nested = {
        "backoff": Backoff(**table.backoff.model_dump()),
        "restart_limit": RestartLimit(**table.restart_limit.model_dump()),
    }
    return Policy(**{**plain, **nested})


def path_of(document: Document, text: str | None) -> Path | None:
    return document.absolute(text) if text else None


_WAYS = (("packages", "requirements"), ("project",), ("lock",), ("path",))
"""The ways to say what is in an environment, of which it has one."""


def broken(document: Document, name: str, table: Mapping[str, Any]) -> Iterator[Mistake]:
    """Every rule that the location's complete table breaks."""
    key = ("location", name)
    try:
        check_own(name)
    except UnfitError as error:
        yield document.mistake(key, error.what, error.remedy)
    targets = [target for target in TARGETS if target in table]
    if not targets:
        yield document.mistake(key, "names no code", "add python_file, module or package")
    elif len(targets) > 1:
        yield document.mistake(key, f"has {' and '.join(targets)}", "keep one of them")
    environment = table.get("environment")
    if isinstance(environment, Mapping):
        yield from _broken_environment(document, (*key, "environment"), environment)


def _broken_environment(
    document: Document, key: KeyPath, table: Mapping[str, Any]
) -> Iterator[Mistake]:
    used = [[name for name in way if name in table] for way in _WAYS]
    ways = [" and ".join(names) for names in used if names]
    if len(ways) > 1:
        yield document.mistake(key, f"has {' beside '.join(ways)}", "keep one of them")
    if "path" in table and "python" in table:
        what = "has python beside path, which brings its own"
        yield document.mistake(key, what, "remove one of them")
    if not table.keys() & {"project", "lock"}:
        for name in ("extras", "groups"):
            if name in table:
                what = "belongs to a project or a lock"
                yield document.mistake((*key, name), what, "add project or lock, or remove it")


TARGETS = ("python_file", "module", "package", "autoload_defs_module")
"""The keys that name the code, of which a location has one."""

_JOINED = ("env", "backoff", "restart_limit")
"""The tables in which a location's keys join those of the defaults."""

_MANNERS = frozenset({"python", "link_mode", "installer", "allow_python_download"})
"""The keys of an environment that do not say what is in it."""

Raw = Mapping[str, Any]


def as_table(value: object) -> Raw:
    """A table that was not validated yet; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def merged(defaults: Raw, own: Raw) -> dict[str, Any]:
    """The complete table of a location. Lists are replaced, not joined."""
    kept = _without(defaults, TARGETS) if own.keys() & set(TARGETS) else defaults
    table = {**kept, **own}
    for name in _JOINED:
        if name in kept and isinstance(own.get(name), Mapping):
            table[name] = {**as_table(kept[name]), **own[name]}
    if "environment" in kept and isinstance(own.get("environment"), Mapping):
        table["environment"] = _environment(as_table(kept["environment"]), own["environment"])
    return table


def _environment(defaults: Raw, own: Raw) -> dict[str, Any]:
    """A location that says what is in its environment replaces all of the default one but how it is
    installed."""
    if "path" in own:
        return dict(own)
    if own.keys() <= _MANNERS:
        return {**_without(defaults, ("path",) if "python" in own else ()), **own}
    return {**{name: value for name, value in defaults.items() if name in _MANNERS}, **own}


def _without(table: Raw, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in names}


LONGEST = 100
"""Characters of a name in `codelocd.toml`."""

FOLDERS = (".", "..")
"""Names that would be paths."""


def check_own(name: str) -> None:
    """The rule for `codelocd.toml`; UnfitError."""
    if not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{LONGEST}}}", name) or name in FOLDERS:
        what = "is not a name for a location"
        raise UnfitError(what, f"use letters, digits, `_`, `-` and `.`, up to {LONGEST} of them")


def check_foreign(name: str) -> None:
    """The rule for Dagster's formats and for the command line; UnfitError.

    Dagster has no rule. It derives the identity of schedules and sensors from the name, so
    a name is kept as it is or refused, never changed.
    """
    if not name or not name.isprintable() or "/" in name or name in FOLDERS:
        what = f"{name!r} is not a name for a location"
        raise UnfitError(what, "give it a name of printable characters without `/`")


def dagster_default(value: str, attribute: str | None) -> str:
    """The name Dagster gives to a file name, module or package (`a.py`, `a.py:defs`).

    Source: `_assign_loadable_target_origin_name` in dagster/_core/remote_origin.py.
    """
    return f"{value}:{attribute}" if attribute else value


def clashes(specs: Iterable[LocationSpec]) -> list[tuple[LocationSpec, LocationSpec]]:
    """Every location whose name an earlier one has: the earlier and the later."""
    first: dict[str, LocationSpec] = {}
    return [
        (first[spec.name], spec) for spec in specs if first.setdefault(spec.name, spec) is not spec
    ]


# --- several configs as one --------------------------------------------------------------------


def file_names(paths: Iterable[Path], taken: Collection[str] = ()) -> dict[Path, str]:
    """For each absolute path its stem, or where that is not the only one, `FOLDER.STEM`.

    Those that are still alike, or `taken`, get more folders, as far as there are any.
    """
    names = {path: path.stem for path in paths}
    folders = {path: path.parent for path in names}
    while growing := [path for path in _alike(names, taken) if folders[path].name]:
        for path in growing:
            names[path] = f"{folders[path].name}.{names[path]}"
            folders[path] = folders[path].parent
    return names


def _alike(names: dict[Path, str], taken: Collection[str]) -> list[Path]:
    count = Counter([*names.values(), *set(taken)])
    return [path for path, name in names.items() if count[name] > 1]


def combined(configs: Iterable[Config]) -> Config:
    """All locations, files and notes; of the daemon's settings the first that say something."""
    parts = list(configs)
    dagster = [part.dagster for part in parts if part.dagster != DagsterSettings()]
    settings = [part for part in parts if part.daemon != DaemonSettings()]
    pages = [part.page for part in parts if part.page != PageSettings()]
    engines = [part.engine for part in parts if part.engine != NO_ENGINE]
    runs = [part.runs for part in parts if part.runs != NO_RUNS]
    metrics = [part.metrics for part in parts if part.metrics != MetricsSettings()]
    notify = [part.notify for part in parts if part.notify != NotifySettings()]
    traces = [part.otlp for part in parts if part.otlp is not None]
    unused = [
        f"{part.files[0]}: daemon has no effect here, that of {settings[0].files[0]} has"
        for part in settings[1:]
    ]
    return Config(
        locations=tuple(chain.from_iterable(part.locations for part in parts)),
        daemon=settings[0].daemon if settings else DaemonSettings(),
        dagster=dagster[0] if dagster else DagsterSettings(),
        metrics=metrics[0] if metrics else MetricsSettings(),
        notify=notify[0] if notify else NotifySettings(),
        otlp=traces[0] if traces else None,
        page=pages[0] if pages else PageSettings(),
        runs=runs[0] if runs else NO_RUNS,
        engine=engines[0] if engines else NO_ENGINE,
        files=tuple(dict.fromkeys(chain.from_iterable(part.files for part in parts))),
        looked_for=tuple(dict.fromkeys(chain.from_iterable(part.looked_for for part in parts))),
        notes=(*chain.from_iterable(part.notes for part in parts), *unused),
    )


def distinct(config: Config) -> Config:
    """The config itself; ConfigError where two locations have one name."""
    mistakes = [
        Mistake(
            later.declared_in,
            None,
            (),
            f'location "{later.name}" is also declared in {earlier.declared_in}',
            "give one of them another name",
        )
        for earlier, later in clashes(config.locations)
    ]
    if mistakes:
        raise ConfigError(mistakes, config.own)
    return config
