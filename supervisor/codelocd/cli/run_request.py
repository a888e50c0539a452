"""What `codelocd run` was asked to run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from codelocd.cli.exit_codes import KINDS, ExitCode, Failure
from codelocd.runs.names import UnfitNames


@dataclass(frozen=True, slots=True)
class AskedRun:
    """Names and selections as they were written; `timeout`: of one attempt, in seconds; `lately`:
    within how many seconds before what it takes from other locations must have been made.
    `config`: Dagster's run config."""

    names: tuple[str, ...]
    select: tuple[str, ...]
    repository: str | None
    upstream: bool
    checks: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    timeout: float | None
    lately: float | None
    config: Mapping[str, Any] | None


@contextlib.contextmanager
def unfit_names() -> Iterator[None]:
    """Names that fit nothing are a Failure."""
    try:
        yield
    except UnfitNames as error:
        raise Failure(str(error), KINDS[error.kind]) from None


def exit_code(run: Mapping[str, Any], *, interrupted: bool) -> int:
    """Of the document of a run that has ended; `interrupted`: this command has cancelled it."""
    if run["state"] == "succeeded":
        return ExitCode.DONE
    if run["state"] == "cancelled" and interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.USAGE if run["why"] == "usage" else ExitCode.FAILED
