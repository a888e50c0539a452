"""Checks of assets."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING, P, R_co
from codeloc.arguments import named
from codeloc.assets import reference
from codeloc.definition import FunctionDefinition, name_of, opening

if TYPE_CHECKING:
    from typing import Any, Callable

    from typing_extensions import Unpack

    from codeloc.assets import AssetReference
    from codeloc.binding import Bound
    from codeloc.keys import Key
    from codeloc.labels import Labels


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
        **labels: Unpack[Labels],
    ) -> None:
        super().__init__(function, name_of(opening(self.maker, function), function, name), **labels)
        self.key = reference(self._arguments, "asset", asset)

    def declared(self) -> tuple[Key, ...]:
        return (self.key,)

    def item(self, bound: Bound) -> dict[str, Any]:
        return {**super().item(bound), "key": list(self.key)}


@named
def asset_check(
    *, asset: AssetReference, name: str | None = None, **labels: Unpack[Labels]
) -> Callable[[Callable[P, R_co]], AssetCheckDefinition[P, R_co]]:
    """Makes a check of `asset`, one of the same namespace, of a function.

    `name`: the function's unless given. A parameter named like the asset means that asset.
    """

    def make(function: Callable[P, R_co]) -> AssetCheckDefinition[P, R_co]:
        return AssetCheckDefinition(function, asset=asset, name=name, **labels)

    return make
