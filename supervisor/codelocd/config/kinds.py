"""The kinds of config that there are, and how a file shows which it is."""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """A format, by the name of its file or table; first comes what discovery prefers."""

    CODELOCD_TOML = "codelocd.toml"
    TOOL_CODELOCD = "[tool.codelocd]"
    DG_TOML = "dg.toml"
    TOOL_DAGSTER = "[tool.dagster]"
    TOOL_DG = "[tool.dg]"
    WORKSPACE = "workspace.yaml"
    WORKSPACE_YML = "workspace.yml"
    BUILD = "build.yaml"
    DAGSTER_CLOUD = "dagster_cloud.yaml"


PYPROJECT = "pyproject.toml"

TOOLS = {"codelocd": Kind.TOOL_CODELOCD, "dagster": Kind.TOOL_DAGSTER, "dg": Kind.TOOL_DG}
"""The tables under [tool] in pyproject.toml, first the one that wins."""


def file_of(kind: Kind) -> str:
    """The name of the file that a config of this kind stands in."""
    return PYPROJECT if kind in TOOLS.values() else kind.value
