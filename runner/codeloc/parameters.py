"""The parameters of runs: what is told of them, and the values that they are given."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.errors import RunError, listing, suggestion
from codeloc.functions import innermost
from codeloc.quantities import BITS

if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping

    from codeloc.functions import Parameter


KNOWN = ("bool", "int", "float", "str", "date", "datetime")
"""Types whose values can be written as text. A bool is an int, too, and so comes first."""
FORMS = {"date": ", as YYYY-MM-DD", "datetime": ", in ISO 8601"}
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
PLAIN = (bool, int, float, str)
LONGEST = 200
"""Characters of a default that is told."""


def described(function: object, parameter: Parameter) -> dict[str, Any]:
    """What is told of one: `type`, one of KNOWN or None; `default`, if it is plain and short."""
    default = parameter.default
    told = isinstance(default, PLAIN) and len(str(default)) <= LONGEST and has_form(default)
    return {
        "name": parameter.name,
        "type": type_name(function, parameter),
        "default": default if told else None,
    }


def has_form(value: object) -> bool:
    """Whether it is no number that JSON or MessagePack has not."""
    if isinstance(value, int):
        return value.bit_length() <= BITS
    return not isinstance(value, float) or value - value == 0


def type_name(function: object, parameter: Parameter) -> str | None:
    """By the annotation, else by the default. Nothing is evaluated that is text."""
    try:
        annotation = getattr(innermost(function), "__annotations__", {}).get(parameter.name)
    except NameError:  # from Python 3.14 on, it is evaluated only here
        annotation = None
    named = _name_in(annotation)
    if annotation is None and parameter.default is not None:
        named = type(parameter.default).__name__
    return named if named in KNOWN else None


def _name_in(annotation: object) -> str:
    """`date` of `datetime.date`, `Optional[date]` and `date | None`, evaluated or not."""
    if isinstance(annotation, type):
        return annotation.__name__
    if isinstance(annotation, str):
        text = annotation.replace("Optional[", "").replace("]", "").replace("|", " ")
        parts = [part.rpartition(".")[2] for part in text.split() if part != "None"]
        return parts[-1] if len(parts) == 1 else ""
    inner = [one for one in _alternatives(annotation) if one is not type(None)]
    return _name_in(inner[0]) if len(inner) == 1 and isinstance(inner[0], type) else ""


def _alternatives(annotation: object) -> tuple[Any, ...]:
    """What a union is of, and what Annotated is about; nothing of `List[int]`, which is no int."""
    arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if hasattr(annotation, "__metadata__"):
        return arguments
    origin = getattr(annotation, "__origin__", annotation)
    names = {getattr(origin, "_name", None), getattr(origin, "__name__", None)}
    is_union = type(annotation).__name__ == "UnionType" or "Union" in names
    return arguments if is_union else ()


def given_values(function: object, options: Iterable[Parameter], given: Mapping[str, Any]) -> Any:
    """By name those that are given, as the function expects them. Raises RunError."""
    return {
        parameter.name: _fitting(parameter, type_name(function, parameter), given[parameter.name])
        for parameter in options
        if parameter.name in given
    }


def refuse_unknown(given: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raises RunError for a parameter that nothing in the run takes."""
    names = list(dict.fromkeys(known))
    for name in given:
        if name not in names:
            hint = suggestion(name, names)
            there = listing(names)
            raise RunError(f'no parameter "{name}" of {what}{hint} (parameters: {there})')


def _fitting(parameter: Parameter, kind: str | None, value: Any) -> Any:
    if kind is None or (value is None and parameter.default is None):
        return value
    if isinstance(value, str) and kind != "str":
        return _read(parameter, kind, value)
    expected = (kind, "int") if kind == "float" else (kind,)
    if type(value).__name__ not in expected:
        got = type(value).__name__
        raise RunError(f'parameter "{parameter.name}": got {got}, expected {kind}')
    return value


def _read(parameter: Parameter, kind: str, text: str) -> Any:
    try:
        return _reader(kind)(text.strip())
    except ValueError:
        form = FORMS.get(kind, "")
        message = f'parameter "{parameter.name}": {text!r} is no {kind}{form}'
        raise RunError(message) from None


def _reader(kind: str) -> Callable[[str], Any]:
    if kind in ("date", "datetime"):
        import datetime  # only where a parameter is one

        reader: Callable[[str], Any] = getattr(datetime, kind).fromisoformat
        return reader
    readers: dict[str, Callable[[str], Any]] = {"bool": _truth, "int": int, "float": float}
    return readers[kind]


def _truth(text: str) -> bool:
    if text.lower() not in (*TRUE, *FALSE):
        raise ValueError(text)
    return text.lower() in TRUE
