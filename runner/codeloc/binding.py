"""What each parameter of a function means: an asset or a resource of the same namespace."""

from __future__ import annotations

from codeloc import keys
from codeloc._typing import TYPE_CHECKING
from codeloc.nearest import listing, suggestion

if TYPE_CHECKING:
    from typing import Iterable, Mapping

    from codeloc.assets import AssetDefinition
    from codeloc.definition import Definition, FunctionDefinition
    from codeloc.keys import Key

    AnyFunction = FunctionDefinition[..., object]
    AnyAsset = AssetDefinition[..., object]


class Bound:
    """The assets and the resources that the parameters of one function mean, in their order."""

    __slots__ = ("assets", "resources")

    def __init__(self, assets: Iterable[Key] = (), resources: Iterable[str] = ()) -> None:
        self.assets = tuple(assets)
        self.resources = tuple(resources)


class Scope:
    """What parameters can mean: assets by the last part of their keys, resources by name."""

    def __init__(self, assets: Mapping[Key, AnyAsset], resources: Mapping[str, Definition]) -> None:
        self.assets = assets
        self.resources = resources
        self.by_last_part: dict[str, list[Key]] = {}
        for key in assets:
            self.by_last_part.setdefault(key[-1], []).append(key)

    def bind(self, definition: AnyFunction, problems: list[str]) -> Bound:
        """Appends one line to `problems` for each parameter that means nothing, or two things."""
        assets: list[Key] = []
        resources: list[str] = []
        for parameter in definition.parameters:
            found = self._assets_named(parameter.name, definition)
            is_resource = parameter.name in self.resources
            if len(found) == 1 and not is_resource:
                assets.append(found[0])
            elif is_resource and not found:
                resources.append(parameter.name)
            elif found or parameter.required:
                complaint = self._complaint(parameter.name, found, definition)
                problems.append(f'{definition}: parameter "{parameter.name}" {complaint}')
        return Bound(assets, resources)

    def _assets_named(self, name: str, definition: AnyFunction) -> list[Key]:
        """What is declared beside the function goes first; an asset means itself last of all."""
        declared = [key for key in definition.declared() if key[-1] == name]
        found = declared or self.by_last_part.get(name, [])
        others = [key for key in found if self.assets.get(key) is not definition]
        return others or found

    def _complaint(self, name: str, found: list[Key], definition: AnyFunction) -> str:
        places = ", ".join(self._place(key) for key in found)
        if found and name in self.resources:
            return f"means both {places} and {self.resources[name]}: rename one"
        if found:
            advice = "list one in deps=" if definition.kind == "asset" else "rename the others"
            return f"could mean any of {places}: {advice}"
        names = [*self.by_last_part, *self.resources]
        assets = listing(keys.text(key) for key in self.assets)
        return (
            f"is neither an asset nor a resource{suggestion(name, names)}"
            f" (assets: {assets}; resources: {listing(self.resources)})"
        )

    def _place(self, key: Key) -> str:
        known = self.assets.get(key)
        return str(known) if known else f'asset "{keys.text(key)}"'
