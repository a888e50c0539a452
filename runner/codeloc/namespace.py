"""Definitions that see each other: checked as a whole, then told as plain values."""

from __future__ import annotations

from codeloc import rules
from codeloc._typing import TYPE_CHECKING
from codeloc.binding import Bound, Scope
from codeloc.definition import Definition, FunctionDefinition
from codeloc.errors import DefinitionsError

if TYPE_CHECKING:
    from typing import Any

    from codeloc.contents import Contents


class Namespace:
    """Raises DefinitionsError with every rule that `contents` break."""

    def __init__(self, name: str, contents: Contents) -> None:
        self.name = name
        self.contents = contents
        problems = [*rules.duplicates(contents), *rules.missing(contents)]
        scope = Scope({asset.key: asset for asset in contents.assets}, contents.resources)
        self.bound: dict[Definition, Bound] = {
            definition: scope.bind(definition, problems)
            for definition in contents.definitions()
            if isinstance(definition, FunctionDefinition) and definition.kind != "resource"
        }
        problems += rules.cycles(contents.assets, self.bound)
        if problems:
            raise DefinitionsError(*problems)

    def describe(self) -> list[dict[str, Any]]:
        """All entries; see `Definitions.describe`."""
        nothing = Bound()
        entries = [each.item(self.bound.get(each, nothing)) for each in self.contents.definitions()]
        resources = self.contents.resources.items()
        entries += [{**each.item(nothing), "name": name} for name, each in resources]
        return [{"repository": self.name, **entry} for entry in entries]
