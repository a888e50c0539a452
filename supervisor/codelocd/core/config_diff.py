"""Compares the running locations with another config. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from codeloc_envs.problem import without_passwords
from codelocd.model import GrpcServer, LocationSpec, Policy

if TYPE_CHECKING:
    from codelocd.documents.answers import ConfigChanges

NOT_SHOWN = "(not shown)"

Fields = Mapping[str, tuple[Any, Any]]
"""By the key of the config: before and after, in types that JSON has."""


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Locations to add, to remove, to load anew, and to hold to other rules as they run.

    `changes`: what differs in those that are neither added nor removed.
    """

    added: tuple[LocationSpec, ...] = ()
    removed: tuple[str, ...] = ()
    reloaded: tuple[LocationSpec, ...] = ()
    adjusted: tuple[LocationSpec, ...] = ()
    changes: Mapping[str, Fields] = field(default_factory=dict)

    def is_rash(self, running: int) -> bool:
        """Whether it removes more than half of what runs, and puts less in its place.

        A file of which a half-done write has left a part looks like that, an edit hardly ever.
        """
        return 2 * len(self.removed) > running and len(self.added) < len(self.removed)

    def as_json(self) -> ConfigChanges:
        return {
            "added": [spec.name for spec in self.added],
            "removed": list(self.removed),
            "reloaded": [spec.name for spec in self.reloaded],
            "adjusted": [spec.name for spec in self.adjusted],
            "changes": {name: dict(fields) for name, fields in self.changes.items()},
        }


def plan(running: Mapping[str, LocationSpec], wanted: Iterable[LocationSpec]) -> ConfigDiff:
    """The difference between the locations that run and those that a config asks for."""
    new = {spec.name: spec for spec in wanted}
    kept = [(running[name], spec) for name, spec in new.items() if name in running]
    swapped = [spec for old, spec in kept if _is_external(old) != _is_external(spec)]
    changed = [(old, spec) for old, spec in kept if old != spec and spec not in swapped]
    return ConfigDiff(
        added=(*(spec for name, spec in new.items() if name not in running), *swapped),
        removed=(*(n for n in running if n not in new), *(spec.name for spec in swapped)),
        reloaded=tuple(spec for old, spec in changed if of_runner(old) != of_runner(spec)),
        adjusted=tuple(spec for old, spec in changed if of_runner(old) == of_runner(spec)),
        changes={spec.name: differences(old, spec) for old, spec in changed},
    )


def differences(old: LocationSpec, new: LocationSpec) -> Fields:
    """What differs, by the key of the config. Values of variables and passwords are not told."""
    was, now = dict(_facts(old)), dict(_facts(new))
    found = {
        name: (to_be_shown(was.get(name)), to_be_shown(now.get(name)))
        for name in {**was, **now}
        if was.get(name) != now.get(name)
    }
    for name in {**old.variables, **new.variables, **old.credentials, **new.credentials}:
        before, after = _source(old, name), _source(new, name)
        if before != after or old.variables.get(name) != new.variables.get(name):
            found[f"env.{name}"] = before, after
    return found


def _source(spec: LocationSpec, name: str) -> Any:
    """What may be told of a variable."""
    if name in spec.credentials:
        return {"credential": spec.credentials[name]}
    return NOT_SHOWN if name in spec.variables else None


def _facts(spec: LocationSpec) -> Iterator[tuple[str, Any]]:
    """Each key that the config may have for it, but its variables, with its value."""
    if isinstance(spec.target, GrpcServer):
        yield "grpc_server", asdict(spec.target)
    else:
        yield spec.target.kind, spec.target.value
    yield "attribute", spec.attribute
    yield "working_directory", str(spec.working_directory)
    yield "env_file", str(spec.env_file) if spec.env_file else None
    yield "watch", spec.watch
    yield "ignore", spec.ignore
    yield "release_root", str(spec.release_root) if spec.release_root else None
    yield "user", spec.user
    yield "group", spec.group
    placed = asdict(spec.placement)
    yield from ((name, placed[name]) for name in ("engine", "resources", "labels", "source"))
    yield from asdict(spec.policy).items()
    asked = spec.environment.to_json() if spec.environment else {}
    installation = asked.pop("installation", {})
    yield from ((f"environment.{name}", value) for name, value in asked.items() if value)
    yield from ((name, value) for name, value in installation.items() if value)


def to_be_shown(value: Any) -> Any:
    """As JSON has it, and without passwords in addresses."""
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, Mapping):
        return {name: to_be_shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_be_shown(each) for each in value]
    return value


def of_runner(spec: LocationSpec) -> LocationSpec:
    """The part of a description that a running runner depends on: all but the policy."""
    kept = Policy(start_method=spec.policy.start_method)
    return replace(spec, policy=kept, watch=(), ignore=(), declared_in="", release_root=None)


def _is_external(spec: LocationSpec) -> bool:
    return isinstance(spec.target, GrpcServer)
