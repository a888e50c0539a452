"""Where the time of a reload went, on one line or as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codelocd.render.amounts import duration


def line(timing: Mapping[str, Any], start_method: str | None) -> str:
    """`event 3ms, decision 1ms, fork 14ms, …`; what is not known is left out."""
    return ", ".join(f"{name} {duration(each)}" for name, each in _stages(timing, start_method))


def page(document: Mapping[str, Any]) -> str:
    """Of a `show LOCATION --json` document."""
    timing = document["timing"]
    if timing is None:
        return "nothing serves"
    stages = [*_stages(timing, document["start_method"]), ("total", timing["total"])]
    return "\n".join(f"{name:<10}{duration(each):>8}" for name, each in stages)


def _stages(timing: Mapping[str, Any], start_method: str | None) -> Iterator[tuple[str, float]]:
    for name, seconds in timing.items():
        if name != "total" and seconds is not None:
            yield (start_method or name) if name == "start" else name, seconds
