"""Where the values of assets are between runs."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import key_text

if TYPE_CHECKING:
    from typing import Any, Callable

    from codeloc.arguments import Key
    from codeloc.context import RunContext


IO = "io"
"""The resource that stores and loads in the place of what else would."""


class ValueStore:
    """Has nothing and takes nothing; what does has these methods."""

    def has(self, key: Key) -> bool:
        return False

    def load(self, key: Key, context: RunContext) -> Any:
        """The newest value. Raises whatever its reading raises."""
        raise KeyError(key_text(key))

    def store(self, key: Key, value: Any, context: RunContext, taken: bool) -> str | None:
        """Keep the value for other runs; why it could not, in a line.

        `taken`: some function takes the value of that asset.
        """
        return None


class StoreWithIo(ValueStore):
    """A user's resource `io`, with `store(context, value)` and `load(context)`; `io()` makes it.

    What it has is known only when it is asked.
    """

    def __init__(self, io: Callable[[], Any]) -> None:
        self._io = io

    def has(self, key: Key) -> bool:
        return True

    def load(self, key: Key, context: RunContext) -> Any:
        return self._io().load(context)

    def store(self, key: Key, value: Any, context: RunContext, taken: bool) -> str | None:
        if value is not None or taken:
            self._io().store(context, value)
        return None
