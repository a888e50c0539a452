"""The targets that a command line names. Few imports: every command that takes targets has this
one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Targets:
    """What a command line names, as it was written; paths relative to the current folder."""

    python_files: Sequence[str] = ()
    modules: Sequence[str] = ()
    packages: Sequence[str] = ()
    workspaces: Sequence[str] = ()
    working_directory: str | None = None
    attribute: str | None = None
    python: str | None = None
    env: Sequence[str] = ()
    added: Sequence[str] = ()

    @property
    def are_given(self) -> bool:
        """Whether it says what to load; if not, `discover` does."""
        return bool(self.code or self.workspaces)

    @property
    def code(self) -> Sequence[str]:
        return (*self.python_files, *self.modules, *self.packages)
