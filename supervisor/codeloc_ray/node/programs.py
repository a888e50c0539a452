"""Starts a one-shot command on a node: its program, by the rules that `codelocd exec` has."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeloc_ray.node.process import Supervised

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses, as a shell has them."""


@dataclass(frozen=True, slots=True)
class UnfitProgram(Exception):
    """It is not run: the exit status that stands for that, and one line with what to do."""

    status: int
    why: str


def program(
    location: str, words: Sequence[str], *, search: str, folder: str, own: Sequence[str], any_: bool
) -> str:
    """The path of a command's program. Raises UnfitProgram.

    `search`: the PATH; `folder`: its working directory; `own`: the folders that it may be in, the
    first one the environment's; `any_`: anything on the PATH will do.
    """
    name = words[0]
    is_path = "/" in name
    found = os.path.join(folder, name) if is_path else shutil.which(name, path=search)
    if found is None or not os.path.exists(found):
        where = "" if is_path else f" in the environment of {location} ({own[0]})"
        raise UnfitProgram(
            NOT_FOUND, f"there is no {name}{where} on the node; is it spelled right?"
        )
    if not any_ and not any(_is_below(found, each) for each in own):
        again = shlex.join(["codelocd", "exec", "--outside", location, "--", *words])
        what = f"{found} is not in the environment of {location} ({own[0]})"
        status = NOT_EXECUTABLE if is_path else NOT_FOUND
        raise UnfitProgram(status, f"{what}; to run it all the same: {again}")
    return found


def begun(
    location: str,
    order: Mapping[str, Any],
    variables: Mapping[str, str],
    environment: Mapping[str, Any],
    process: Supervised,
) -> None:
    """Have `process` be the command that is ordered. Raises UnfitProgram."""
    words, folder = order["argv"], order["working_directory"]
    path = program(
        location,
        words,
        search=variables["PATH"],
        folder=folder,
        own=[os.path.dirname(environment["executable"]), folder],
        any_=order["outside"],
    )
    place = {"variables": variables, "working_directory": folder}
    try:
        process.start_command(place, path, words)
    except OSError as error:
        what = f"{path} cannot be run: {error.strerror}"
        raise UnfitProgram(NOT_EXECUTABLE, what) from None


def _is_below(path: str, folder: str) -> bool:
    return os.path.normpath(path).startswith(folder.rstrip("/") + "/")
