"""Writes a config as a JSON document or a codelocd.toml, and the schema of codelocd.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from codeloc_envs import Request
from codeloc_envs.request import ANYWHERE, Index, Installation
from codelocd.config.errors import UnfitError
from codelocd.config.location import LONGEST, check_own
from codelocd.config.tables import CodelocdTable
from codelocd.config.variables import Reference, referred, shown
from codelocd.core.config_diff import NOT_SHOWN, to_be_shown
from codelocd.model import Config, GrpcServer, LocationSpec, Policy, Target
from codelocd.placement import EngineSettings, Placement


def describe(config: Config) -> dict[str, Any]:
    """What became of each entry, with every path absolute and every default filled in.

    The value of a variable is null unless it stands in the config file itself: it may be a
    secret.
    """
    document = {
        "files": config.files,
        "daemon": asdict(config.daemon),
        "dagster": to_be_shown(asdict(config.dagster)),
        "metrics": asdict(config.metrics),
        "notify": asdict(config.notify),
        "telemetry": {"otlp": config.otlp},
        "engine": _engine(config.engine),
        "ui": asdict(config.page),
        "runs": asdict(config.runs),
        "locations": [_location_document(spec) for spec in config.locations],
        "notes": config.notes,
    }
    return {name: _plain(value) for name, value in document.items()}


def _location_document(spec: LocationSpec) -> dict[str, Any]:
    beside = ("declared_line", "release")  # no config says these
    fields = {name: each for name, each in asdict(spec).items() if name not in beside}
    environment = to_be_shown(fields["environment"])
    shown_variables = shown(spec.variables)
    return {
        **fields,
        "target": _target(spec.target),
        "variables": shown_variables,
        "environment": environment,
        "placement": None if spec.placement.is_local else fields["placement"],
    }


ENGINE_KEYS = tuple(
    each.name for each in fields(EngineSettings) if each.name not in ("token", "environment")
)


def _engine(settings: EngineSettings) -> dict[str, Any] | None:
    """Without its token; None where there is none."""
    if not settings.is_used:
        return None
    return {**asdict(settings), "token": NOT_SHOWN if settings.token is not None else None}


def _placement(placement: Placement) -> dict[str, Any]:
    """The keys of a location that say where it runs, as far as they say something."""
    if placement.is_local:
        return {}
    return {
        "engine": placement.engine,
        "resources": {k: v for k, v in asdict(placement.resources).items() if v},
        "node": {"labels": placement.labels} if placement.labels else None,
        "source": placement.source,
    }


def _target(target: Target | GrpcServer) -> dict[str, Any]:
    if isinstance(target, Target):
        return asdict(target)
    return {"kind": "grpc_server", **asdict(target)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def json_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 with a description of every key."""
    schema = CodelocdTable.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **schema, "title": "codelocd.toml"}


_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile("[\x7f-\x9f]")


def written(config: Config) -> str:
    """Every path absolute, every default filled in. What codelocd.toml has no words for, and
    values that may be secret, are comments."""
    parts = [
        _table("daemon", asdict(config.daemon)),
        _table("dagster", {**_without(asdict(config.dagster), "environment")}),
    ]
    if config.dagster.environment is not None:
        parts.append(_table("dagster.environment", _environment(config.dagster.environment)))
    parts.append(_table("metrics", asdict(config.metrics)))
    parts.append(_table("notify", asdict(config.notify)))
    parts.append(_table("telemetry", {"otlp": config.otlp}))
    parts.append(_table("ui", asdict(config.page)))
    parts.append(_table("runs", asdict(config.runs)))
    if config.engine.is_used:
        more = "\n# token: not shown" if config.engine.token is not None else ""
        shown = {name: getattr(config.engine, name) for name in ENGINE_KEYS}
        parts.append(_table("engine", shown) + more)
        if config.engine.environment is not None:
            parts.append(_table("engine.environment", _environment(config.engine.environment)))
    index = _index(config)
    if index != ANYWHERE:
        parts.append(_table("index", to_be_shown(asdict(index))))
    name = _Names(config)
    parts += ["\n".join(_location(spec, name(spec), config)) for spec in config.locations]
    notes = [f"# {note}" for note in config.notes]
    return "\n\n".join(part for part in ["\n".join(notes), *parts] if part)


class _Names:
    """The names of locations as codelocd.toml takes them, each once."""

    def __init__(self, config: Config) -> None:
        self._taken = {spec.name for spec in config.locations}

    def __call__(self, spec: LocationSpec) -> str:
        try:
            check_own(spec.name)
        except UnfitError:
            return self._free(re.sub(r"[^A-Za-z0-9_.-]", "_", spec.name)[: LONGEST - 3].strip("."))
        return spec.name

    def _free(self, name: str) -> str:
        choices = (name or "location", *(f"{name}-{number}" for number in range(2, 100)))
        free = next(each for each in choices if each not in self._taken)
        self._taken.add(free)
        return free


def _location(spec: LocationSpec, name: str, config: Config) -> Iterator[str]:
    if isinstance(spec.target, GrpcServer):
        server = spec.target
        where = server.socket or f"{server.host}:{server.port}"
        yield f"# {_comment(spec.name)} is a code server of its own at {_comment(where)}: "
        yield "# codelocd.toml has no entry for one, workspace.yaml does"
        return
    if name != spec.name:
        yield f"# {_comment(spec.name)} in {_comment(spec.declared_in)}: codelocd.toml takes no"
        yield "# such name, and Dagster takes schedules and sensors of another name for others"
    if spec.activated_allowed and spec.environment is None:
        yield '# activated: the environment of your shell may serve it; here: path = "…" below'
    values = {**shown(spec.variables), **referred(spec.variables)}
    values |= {each: Reference("credential", name) for each, name in spec.credentials.items()}
    yield f"[location.{_key(name)}]"
    yield from _pairs(
        {
            spec.target.kind: spec.target.value,
            "attribute": spec.attribute,
            "working_directory": spec.working_directory,
            "env": {key: value for key, value in values.items() if value is not None},
            "env_file": spec.env_file,
            "watch": spec.watch,
            "ignore": spec.ignore,
            "release_root": spec.release_root,
            "user": spec.user,
            "group": spec.group,
            **_placement(spec.placement),
            **{field.name: getattr(spec.policy, field.name) for field in fields(Policy)},
        }
    )
    yield from _secrets(spec, values, config)
    if spec.environment is not None:
        yield ""
        yield _table(f"location.{_key(name)}.environment", _environment(spec.environment))


def _secrets(spec: LocationSpec, values: Mapping[str, Any], config: Config) -> Iterator[str]:
    """Variables whose values are not shown: those of env files, and of the command line."""
    others = [file for file in config.files if file.name == ".env" and file != spec.env_file]
    hidden = [name for name, value in values.items() if value is None]
    if hidden and (others or spec.env_file is None):
        where = f", some of them in {', '.join(map(str, others))}" if others else ""
        yield f"# set besides, values not shown{_comment(where)}: {_comment(', '.join(hidden))}"


def _environment(request: Request) -> dict[str, Any]:
    names = [f.name for f in fields(Request) if f.name not in ("installation", "added")]
    own = {name: getattr(request, name) for name in names}
    manners = {
        f.name: getattr(request.installation, f.name)
        for f in fields(Installation)
        if f.name != "index"
    }
    return dict(to_be_shown({**own, **manners}))


def _index(config: Config) -> Index:
    """The one of the whole file, which each environment has."""
    requests = [spec.environment for spec in config.locations] + [config.dagster.environment]
    found = (request.installation.index for request in requests if request is not None)
    return next((index for index in found if index != ANYWHERE), ANYWHERE)


def _table(name: str, values: Mapping[str, Any]) -> str:
    return "\n".join([f"[{name}]", *_pairs(values)])


def _pairs(values: Mapping[str, Any]) -> Iterator[str]:
    """What is left out in the file is left out here, too."""
    for key, value in values.items():
        if value is not None and value not in ((), {}, []):
            yield f"{_key(key)} = {_value(value)}"


def _value(value: Any) -> str:
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return _inline(asdict(value))


def _inline(table: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(f'{_key(k)} = {_value(v)}' for k, v in table.items())} }}"


def _text(value: Any) -> str:
    """A basic string: JSON's escapes are TOML's, but for control characters above ASCII's."""
    quoted = json.dumps(str(value), ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)


def _without(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}


_WRITERS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (bool, lambda value: "true" if value else "false"),
    ((int, float), repr),
    ((str, Path), _text),
    (Reference, lambda value: _inline({value.source: value.name})),
    ((list, tuple), lambda value: f"[{', '.join(map(_value, value))}]"),
    (Mapping, _inline),
)
