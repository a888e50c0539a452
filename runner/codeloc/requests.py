"""What functions of schedules and sensors return: runs that shall start, or why none shall."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import Arguments, named
from codeloc.definition import checked_tags, json_copy
from codeloc.functions import caller

if TYPE_CHECKING:
    from typing import Any, Mapping

LONGEST_KEY = 500
"""Characters, as `codelocd run --key` takes them."""


class Run:
    """A run of the job, with these `params` and `tags`. `key`: the same key starts it but once."""

    maker = "Run"

    @named
    def __init__(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> None:
        arguments = Arguments(f"{self.maker} ({caller()})")
        found = arguments.mapping("params", params)
        self.params = {
            name: json_copy(arguments, f"params[{name!r}]", found[name]) for name in found
        }
        self.tags = checked_tags(arguments, tags)
        self.key = arguments.optional_text("key", key)
        if self.key is not None and not 0 < len(self.key) <= LONGEST_KEY:
            raise arguments.invalid("key", f"{len(self.key)} characters, not 1 to {LONGEST_KEY}")


class Skip:
    """No run this time; `why` is shown."""

    def __init__(self, why: str) -> None:
        self.why = Arguments(f"Skip ({caller()})").text("why", why)
