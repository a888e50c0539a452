"""Assets, and the checks that say whether they are good."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING, P, R_co, overload
from codeloc.arguments import Arguments, flag, key_text, named, one_of
from codeloc.definition import FunctionDefinition, decorate, name_of, opening
from codeloc.functions import CONTEXT
from codeloc.runnable import RunnableDefinition

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Sequence, Union

    from typing_extensions import TypeAlias, Unpack

    from codeloc.arguments import Key
    from codeloc.definition import Item, Labels
    from codeloc.namespace import Bound
    from codeloc.runnable import RunOptions

    KeyText: TypeAlias = Union[str, Sequence[str]]
    AssetReference: TypeAlias = Union[KeyText, "AssetDefinition[..., Any]"]


REFERENCE = "an asset, or its key (str or list of str)"


class AssetDefinition(FunctionDefinition[P, R_co], RunnableDefinition):
    """Data that a function makes; see `asset`."""

    kind = "asset"
    maker = "@asset"

    @named
    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        key: KeyText | None = None,
        key_prefix: KeyText | None = None,
        deps: Iterable[AssetReference] | None = None,
        group: str = "default",
        kinds: Iterable[str] | None = None,
        **options: Unpack[RunOptions],
    ) -> None:
        self.key = _key(function, name, key, key_prefix)
        super().__init__(function, key_text(self.key), **options)
        self.deps = references(self._arguments, "deps", deps)
        self.group = _group(self._arguments, group)
        self.kinds = _kinds(self._arguments, kinds)

    def declared(self) -> tuple[Key, ...]:
        return self.deps

    def item(self, bound: Bound) -> Item:
        return {
            **super().item(bound),
            "key": list(self.key),
            "group": self.group,
            "deps": [list(key) for key in dict.fromkeys((*self.deps, *bound.assets))],
            "kinds": self.kinds,
        }


@overload
def asset(function: Callable[P, R_co], /) -> AssetDefinition[P, R_co]: ...
@overload
def asset(
    *,
    name: str | None = None,
    key: KeyText | None = None,
    key_prefix: KeyText | None = None,
    deps: Iterable[AssetReference] | None = None,
    group: str = "default",
    kinds: Iterable[str] | None = None,
    **options: Unpack[RunOptions],
) -> Callable[[Callable[P, R_co]], AssetDefinition[P, R_co]]: ...
def asset(function: Any = None, /, **options: Any) -> Any:
    """Makes an asset of a function; its parameters are upstream assets, resources and `context`.

    `name`: the function's unless given. `key_prefix`: what the key has before the name.
    `key`: the whole key instead. `deps`: assets it needs but takes no value of, of any location.
    A parameter means the asset whose key ends in its name; where several do, the one in `deps`.
    `retries`, `retry_delay`, `timeout`, `memory_limit` and `limits` are about its runs.
    """
    return decorate(AssetDefinition, function, options)


def reference(arguments: Arguments, place: str, value: object) -> Key:
    """The key that was meant; an asset stands for its own."""
    if isinstance(value, AssetDefinition):
        return value.key
    if not isinstance(value, (str, list, tuple)):
        raise arguments.wrong(place, value, REFERENCE)
    return arguments.key(place, value)


def references(arguments: Arguments, argument: str, value: object) -> tuple[Key, ...]:
    items = arguments.items(argument, value, REFERENCE)
    return tuple(dict.fromkeys(reference(arguments, place, item) for place, item in items))


def _key(function: object, name: str | None, key: object, prefix: object) -> Key:
    arguments = opening(AssetDefinition.maker, function)
    if key is None:
        before = () if prefix is None else arguments.key("key_prefix", prefix)
        parts = (*before, name_of(arguments, function, name))
    elif name is None and prefix is None:
        parts = arguments.key("key", key)
    else:
        raise arguments.invalid("key", "is the whole key: leave out name and key_prefix")
    if parts[-1] == CONTEXT:
        raise arguments.invalid("name", f'"{CONTEXT}" is reserved for the parameter of that name')
    return parts


def _group(arguments: Arguments, value: object) -> str:
    group = arguments.text("group", value)
    for part in group.split("/"):
        arguments.name("group", part)
    return group


def _kinds(arguments: Arguments, value: object) -> list[str]:
    kinds = {arguments.text(place, item) for place, item in arguments.items("kinds", value, "str")}
    if not all(kind.strip() for kind in kinds):
        raise arguments.invalid("kinds", "a kind needs at least one character")
    return sorted(kinds)


SEVERITIES = ("error", "warn")


class AssetCheckDefinition(FunctionDefinition[P, R_co]):
    """A function that says whether an asset is good; see `asset_check`."""

    kind = "asset_check"
    maker = "@asset_check"

    @named
    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        asset: AssetReference,
        name: str | None = None,
        blocking: bool = False,
        severity: str = "error",
        **labels: Unpack[Labels],
    ) -> None:
        super().__init__(function, name_of(opening(self.maker, function), function, name), **labels)
        self.key = reference(self._arguments, "asset", asset)
        self.blocking = flag(self._arguments, "blocking", blocking)
        self.severity = one_of(self._arguments, "severity", severity, SEVERITIES)
        if self.blocking and self.severity == "warn":
            raise self._arguments.invalid("blocking", "a check that only warns blocks nothing")

    def declared(self) -> tuple[Key, ...]:
        return (self.key,)

    def item(self, bound: Bound) -> Item:
        item = {**super().item(bound), "key": list(self.key)}
        if self.blocking:
            item["blocking"] = True
        if self.severity != SEVERITIES[0]:
            item["severity"] = self.severity
        return item


@named
def asset_check(
    *,
    asset: AssetReference,
    name: str | None = None,
    blocking: bool = False,
    severity: str = "error",
    **labels: Unpack[Labels],
) -> Callable[[Callable[P, R_co]], AssetCheckDefinition[P, R_co]]:
    """Makes a check of `asset`, one of the same namespace, of a function.

    `name`: the function's unless given. A parameter named like the asset means that asset. In a
    run the function returns True or False, or a pair of that and a text that says why.
    `blocking`: what depends on the asset is not made after a failure. `severity`: with `"warn"`
    a failure is told, and fails no run.
    """

    def make(function: Callable[P, R_co]) -> AssetCheckDefinition[P, R_co]:
        return AssetCheckDefinition(
            function, asset=asset, name=name, blocking=blocking, severity=severity, **labels
        )

    return make
