"""The import profile: which modules of other packages the loads of each location import."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

Beside = Mapping[str, Sequence[str]]
"""By package: what a program imports that stands beside each runner which imports the package."""


@dataclass(frozen=True, slots=True)
class Imports:
    """`modules` in the order of their import; `named`: those that the code names itself;
    `beside`: those of programs that stand beside the runners."""

    modules: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Everything, in the order in which a warm interpreter imports it."""
        return _union(self.modules, self.beside)

    @property
    def packages(self) -> Set[str]:
        """The packages that the code names."""
        return packages(self.named).keys()


@dataclass(frozen=True, slots=True)
class ImportProfile:
    """What is known of one environment.

    `locations`: what each imports. `cold`: packages that a fork cannot share, and why.
    `suspicions`: loads that failed after a fork and then went well without one. `variables`:
    names that imported packages have asked the process environment for. `installed`: when
    something was last installed, as far as `cold` and `suspicions` know. `seconds`: what the newest
    cold load of each location took.
    """

    locations: Mapping[str, Imports] = field(default_factory=dict)
    cold: Mapping[str, str] = field(default_factory=dict)
    suspicions: tuple[str, ...] = ()
    variables: frozenset[str] = frozenset()
    installed: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)

    def with_location(self, name: str, imports: Imports) -> ImportProfile:
        return replace(self, locations={**self.locations, name: imports})

    def with_seconds(self, name: str, seconds: float) -> ImportProfile:
        return replace(self, seconds={**self.seconds, name: seconds})

    def with_cold(self, cold: Mapping[str, str]) -> ImportProfile:
        return replace(self, cold={**self.cold, **cold})

    def with_variables(self, names: Iterable[str]) -> ImportProfile:
        return replace(self, variables=self.variables.union(names))

    def as_of(self, installed: int) -> ImportProfile:
        """What is still true: packages of another release may well be forked."""
        if installed == self.installed:
            return self
        return replace(self, cold={}, suspicions=(), installed=installed)

    def with_suspicion(self, what: str) -> ImportProfile:
        return replace(self, suspicions=(*self.suspicions, what))


def after_load(former: Imports | None, seen: Imports, shared: Imports | None) -> Imports:
    """What a location imports, after one more load.

    After a cold start (`shared` is None) that is exactly what was seen. A load that began with
    modules which were there already shows only what it added. What was known before stays true
    for as long as the code still names all the packages that it did. When it names fewer, only
    what it names is certain, and later loads add what is missing: so unused modules are forgotten.
    """
    if shared is None:
        return Imports(_union(seen.modules, seen.named), seen.named)
    packages = seen.packages
    for known in (former, shared):
        if known is not None and (known.named == seen.named or known.packages <= packages):
            return Imports(_union(known.modules, seen.modules, seen.named), seen.named)
    return Imports(_union(seen.named, seen.modules), seen.named)


def common(lists: Sequence[Imports]) -> Imports:
    """What all of them import, in the order of the first. Many are equal, and looked at once."""
    first, *others = dict.fromkeys(lists)
    return Imports(
        _intersection(first.modules, [other.modules for other in others]),
        _intersection(first.named, [other.named for other in others]),
    )


def shareable(imports: Imports, cold: Collection[str]) -> Imports:
    """The same without the packages that a fork cannot share."""

    def rest(modules: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in modules if name.partition(".")[0] not in cold)

    return Imports(rest(imports.modules), rest(imports.named), rest(imports.beside))


def with_beside(imports: Imports, beside: Beside) -> Imports:
    """The same with what programs need beside runners that import these packages."""
    needed = (beside.get(name, ()) for name in packages(imports.modules))
    return replace(imports, beside=_union(*needed))


def packages(modules: Iterable[str]) -> dict[str, None]:
    """The top-level names of modules, once each, in their order."""
    return dict.fromkeys([module.partition(".")[0] for module in modules])


def _union(*parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part))


def _intersection(first: Sequence[str], others: Sequence[Sequence[str]]) -> tuple[str, ...]:
    sets = [frozenset(other) for other in others]
    return tuple(name for name in first if all(name in each for each in sets))
