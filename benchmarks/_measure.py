"""A figure: values measured the same way, and what they are held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Measurement = Callable[[int], "list[Figure]"]
"""Measures so many times, at least; what cannot be repeated says so in its note."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`values` in `unit`; the median is to be at most `target`, or at least `least`, if any.

    `of_medians`: what counts as the median of a ratio, whose values are those of pairs.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    target: float | None = None
    least: float | None = None
    of_medians: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.of_medians is None else self.of_medians

    @property
    def met(self) -> bool | None:
        if self.target is not None:
            return self.median <= self.target
        return None if self.least is None else self.median >= self.least

    @property
    def goal(self) -> str:
        if self.target is not None:
            return f"≤ {self.target:g} {self.unit}"
        return "" if self.least is None else f"≥ {self.least:g} {self.unit}"

    @classmethod
    def from_document(cls, kept: Mapping[str, Any]) -> Figure:
        values, median = tuple(kept["values"]), kept["median"]
        return cls(kept["name"], kept["unit"], values, kept["target"], kept["least"], median)

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": self.values,
            "target": self.target,
            "least": self.least,
            "met": self.met,
        }


def difference(name: str, over: Figure, base: Figure, target: float | None = None) -> Figure:
    """What one costs over the other, pair by pair: drift of the machine cancels out."""
    pairs = zip(over.values, base.values, strict=True)
    return Figure(name, over.unit, tuple(a - b for a, b in pairs), target)


def ratio(
    name: str,
    over: Figure,
    base: Figure,
    target: float | None = None,
    least: float | None = None,
) -> Figure:
    """How many times the other one costs: by the medians; each pair's ratio shows the spread."""
    pairs = tuple(a / b for a, b in zip(over.values, base.values, strict=True))
    return Figure(name, "times", pairs, target, least, over.median / base.median)
