"""What warm interpreters preload, who may start from them, and what was learned of both. Pure."""

from codelocd.warm.learning import (
    Beside,
    Imports,
    Learned,
    after_load,
    common,
    shareable,
    with_beside,
)
from codelocd.warm.method import Choice, choose, cold_packages, newly_cold
from codelocd.warm.visible import BY_LIBRARIES, visible

__all__ = [
    "BY_LIBRARIES",
    "Beside",
    "Choice",
    "Imports",
    "Learned",
    "after_load",
    "choose",
    "cold_packages",
    "common",
    "newly_cold",
    "shareable",
    "visible",
    "with_beside",
]
