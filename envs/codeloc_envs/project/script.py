"""Inline script metadata (PEP 723): what a single file says about its environment."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.files import seen_source
from codeloc_envs.problem import EnvironmentProblem

# The reference expression of https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A `script` block: its TOML text, `requires-python`, whether uv's settings stand in it, and
    what it lists.
    """

    text: str
    requires_python: str | None
    for_uv: bool
    dependencies: tuple[str, ...]


def read_metadata(script: Path) -> Metadata | None:
    """The metadata of `script`, None without a block; raises EnvironmentProblem if invalid.

    A script that cannot be read has none: the load says what is wrong with it.
    """
    blocks = [
        match["content"]
        for match in _BLOCK.finditer(seen_source(script) or "")
        if match["type"] == "script"
    ]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise EnvironmentProblem(
            f"{script} has {len(blocks)} blocks of inline script metadata; keep one",
            inputs=(script,),
        )
    return _parse(script, blocks[0])


def _parse(script: Path, block: str) -> Metadata:
    text = "\n".join(_uncommented(line) for line in block.splitlines())
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentProblem(
            f"the inline script metadata of {script} is not valid TOML: {error}", inputs=(script,)
        ) from None
    requires = data.get("requires-python")
    listed = data.get("dependencies")
    return Metadata(
        text,
        requires if isinstance(requires, str) else None,
        "uv" in _tools(data),
        tuple(map(str, listed)) if isinstance(listed, list) else (),
    )


def _uncommented(line: str) -> str:
    return line[2:] if line.startswith("# ") else line[1:]


def _tools(data: dict[str, object]) -> dict[str, object]:
    tools = data.get("tool")
    return tools if isinstance(tools, dict) else {}
