"""What has to happen so that what runs matches another config. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from codelocd.model import GrpcServer, LocationSpec, Policy


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Locations to add, to remove, to load anew, and to hold to other rules as they run."""

    added: tuple[LocationSpec, ...] = ()
    removed: tuple[str, ...] = ()
    reloaded: tuple[LocationSpec, ...] = ()
    adjusted: tuple[LocationSpec, ...] = ()

    def as_json(self) -> dict[str, list[str]]:
        return {
            "added": [spec.name for spec in self.added],
            "removed": list(self.removed),
            "reloaded": [spec.name for spec in self.reloaded],
            "adjusted": [spec.name for spec in self.adjusted],
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
        reloaded=tuple(spec for old, spec in changed if _of_runner(old) != _of_runner(spec)),
        adjusted=tuple(spec for old, spec in changed if _of_runner(old) == _of_runner(spec)),
    )


def _of_runner(spec: LocationSpec) -> LocationSpec:
    """What a running runner depends on: all but the rules it is kept by."""
    kept = Policy(start_method=spec.policy.start_method)
    return replace(spec, policy=kept, watch=(), ignore=(), declared_in="")


def _is_external(spec: LocationSpec) -> bool:
    return isinstance(spec.target, GrpcServer)
