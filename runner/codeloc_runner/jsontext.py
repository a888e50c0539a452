"""JSON by the interpreter's own C code.

The `json` package around it imports `re` and `enum`: 5 ms of each start, a third of the runner's.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner

from .plain import unserializable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Rules:
    """What the scanner asks for, the values those of `json.loads`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def loads(text: str) -> Any:
    """Raises ValueError."""
    try:
        return make_scanner(Rules)(text, 0)[0]  # type: ignore[arg-type]  # any such object will do
    except StopIteration:
        raise ValueError(f"no JSON: {text!r}") from None


def dumps(value: Any) -> str:
    """What is no JSON value is told by its type."""
    encode = make_encoder(
        {}, unserializable, encode_basestring_ascii, None, ":", ",", False, False, True
    )
    return "".join(encode(value, 0))
