"""Dagster's instance: its folder, its databases, its release."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from codeloc_envs import EnvironmentProblem
from codeloc_envs.files import make_folder
from codelocd.dagster.warm_launch import CONFIG, is_made, write_config
from codelocd.model import Config, Exit, Stream
from codelocd.process.child import Children
from codelocd.runners.api import RunnerSpec

MAKE_SECONDS = 60.0
"""For what takes two seconds on an idle machine."""


class Instance:
    """Code servers that start at the same moment in a new DAGSTER_HOME spoil it for ever: each
    enters the newest revision into a database that the other has just made, and Dagster then
    finds two heads.
    """

    def __init__(
        self, path: Path, children: Children, more: Mapping[str, str] | None = None
    ) -> None:
        """`more`: variables that what makes the databases needs."""
        self._more = more or {}
        self._path = path
        self._children = children
        self._alone = asyncio.Lock()
        self._open = False

    def variables(self, spec: RunnerSpec) -> dict[str, str]:
        """All variables of a location's code server: a home of its own counts."""
        return {VARIABLE: str(self._path), **spec.variables}

    async def opened(self, spec: RunnerSpec) -> None:
        """Returns when no server is needed any more to make its databases.

        Where they cannot be made, the servers will tell why. Raises OSError.
        """
        variables = self.variables(spec)
        if variables[VARIABLE] != str(self._path):
            return
        async with self._alone:
            self._open = self._open or self._was_used() or await self._made(spec, variables)

    def _was_used(self) -> bool:
        return any(each.name != CONFIG for each in self._path.iterdir())

    async def _made(self, spec: RunnerSpec, variables: Mapping[str, str]) -> bool:
        """By Dagster's own command line, which opens all of them."""
        child = self._children.start(
            [str(spec.executable), "-m", "dagster", "instance", "info"],
            variables={**variables, **self._more},
            directory=Path("/"),
            output=_unheard,
            pass_fds=spec.held,
        )
        if not await child.gone(MAKE_SECONDS):
            child.kill()
        return await child.exited == Exit(status=0)


def _unheard(_stream: Stream, _data: bytes) -> None:
    """The instance described, or what the servers will say again."""


VARIABLE = "DAGSTER_HOME"


def home_of(config: Config, state_dir: Path) -> Path:
    """As `dagster_home`, of the daemon that this config is for."""
    project = config.files[0].parent if config.files else Path.cwd()
    warm = config.dagster.launcher == "warm"
    return dagster_home(os.environ, state_dir, project, warm=warm)


def dagster_home(
    environ: Mapping[str, str], state_dir: Path, project: Path, *, warm: bool = False
) -> Path:
    """As the user set it, else a folder of ours that has the project's dagster.yaml; `warm`: with
    the run launcher of codelocd.

    Raises OSError. The instance's config beside the code counts without DAGSTER_HOME, and only
    then, as under `dagster dev` (`InstanceRef.from_dir`).
    """
    given = environ.get(VARIABLE)
    home = Path(given).expanduser() if given else state_dir / "dagster"
    with contextlib.suppress(FileExistsError):
        make_folder(home)
    if not given:
        _link(home / CONFIG, project / CONFIG, warm=warm)
    return home


def _link(link: Path, config: Path, *, warm: bool) -> None:
    """Link to the project's config; a file that a user wrote into our folder stays.

    Without any there is an empty one: Dagster's processes each warn where there is none.
    """
    absent = not (link.is_symlink() or link.exists())
    made = not absent and link.exists() and is_made(link)
    ours = link.is_symlink() or made or (link.exists() and not link.stat().st_size)
    if warm and (ours or absent) and write_config(link, config):
        return
    if ours:
        link.unlink()
    if config.is_file() and not link.exists():
        link.symlink_to(config)
    elif not link.exists():
        link.touch()


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """The version of dagster, and of the Python (`3.12`) that it is installed for."""

    version: Version
    python: str


def release_in(executable: Path) -> Release | None:
    """That of the environment of an interpreter; None where it has no dagster."""
    prefix = executable.parent.parent
    for found in prefix.glob("lib*/python3*/site-packages/dagster-*.dist-info"):
        try:
            version = Version(found.name.removeprefix("dagster-").removesuffix(".dist-info"))
        except InvalidVersion:
            continue
        return Release(version, found.parts[-3].removeprefix("python"))
    return None


def newest_of(executables: Iterable[Path]) -> Release:
    """The newest release in those environments; EnvironmentProblem where none is left."""
    found = [release for release in map(release_in, executables) if release]
    if not found:
        raise EnvironmentProblem(
            "no environment of a location has dagster any more; put it back into one"
        )
    return max(found)
