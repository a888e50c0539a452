"""The resources of one attempt: each made once, when it is first needed, and closed at the end."""

from __future__ import annotations

from functools import partial

from codeloc._typing import TYPE_CHECKING
from codeloc.context import RunContext
from codeloc.errors import Cancelled
from codeloc.functions import CONTEXT, all_parameters_of, called, innermost
from codeloc.resources import RawResource

if TYPE_CHECKING:
    from typing import Any, Callable, Iterator, Mapping

    from codeloc.context import RunFacts
    from codeloc.definition import Definition


GENERATOR = 0x20
"""Of `co_flags`, as the module `inspect` names it."""
END = object()


class CallGuard:
    """Through which every function of the user's is called."""

    cancelled = False
    """Nothing more is to be started."""

    def call(self, function: Callable[[], Any]) -> Any:
        return function()

    def end(self, function: Callable[[], Any]) -> Any:
        """Of what ends in order what was begun, cancelled or not."""
        return function()


class OpenResources:
    def __init__(
        self,
        definitions: Mapping[str, Definition],
        facts: RunFacts,
        guard: CallGuard,
    ) -> None:
        self._definitions = definitions
        self._facts = facts
        self._guard = guard
        self._values: dict[str, Any] = {}
        self._failures: dict[str, BaseException] = {}
        self._open: list[tuple[str, Iterator[Any]]] = []

    def value(self, name: str) -> Any:
        """Raises what its function raises, to each that asks: it is tried once."""
        if name in self._failures:
            raise self._failures[name]
        if name not in self._values:
            try:
                self._values[name] = self._made(name)
            except Exception as error:
                self._failures[name] = error
                raise
        return self._values[name]

    def _made(self, name: str) -> Any:
        definition: Any = self._definitions[name]
        if isinstance(definition, RawResource):
            return definition.value
        takes = any(each.name == CONTEXT for each in all_parameters_of(definition.function))
        given = {CONTEXT: RunContext(self._facts, definition)} if takes else {}
        if not is_generator(definition.function):
            return self._guard.call(lambda: called(definition.function, given))
        generator = called(definition.function, given)
        value = self._guard.call(partial(next, generator, END))
        if value is END:
            raise RuntimeError(f"{definition} yielded no value")
        self._open.append((name, generator))
        return value

    def close(self) -> Iterator[tuple[str, BaseException]]:
        """Go on behind each `yield`, the last that was opened first; what failed, and how."""
        while self._open:
            name, generator = self._open.pop()
            try:
                if self._guard.end(partial(next, generator, END)) is not END:
                    raise RuntimeError(f"{self._definitions[name]} yielded twice")
            except (Exception, SystemExit, Cancelled) as error:  # noqa: BLE001  user code's
                yield name, error


def is_generator(function: object) -> bool:
    code = getattr(innermost(function), "__code__", None)
    return bool(getattr(code, "co_flags", 0) & GENERATOR)
