"""The two installers, as a build uses them: write a lock, and install what it says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from uv import find_uv_bin

from codeloc_envs.files import seen_text
from codeloc_envs.install.commands import (
    EMPTY_LOCK,
    Facts,
    installing,
    locking,
    pip_command,
    resolving,
    unpacking,
    variables_for_pip,
)
from codeloc_envs.install.output import Listener, Progress, ProgressReader
from codeloc_envs.install.pip_settings import options_unseen
from codeloc_envs.install.uv_settings import begin_of_uv_settings
from codeloc_envs.interpreter import Interpreter
from codeloc_envs.problem import EnvironmentProblem, shortage, shortage_in
from codeloc_envs.project.hashes import held_to, named_hashes
from codeloc_envs.project.other_tools import pipenv_requirements
from codeloc_envs.project.pylock import Lock, pinned, read_lock, write_packages
from codeloc_envs.project.pyproject import Pyproject, read_project
from codeloc_envs.project.requirement_files import check_for_uv
from codeloc_envs.project.script import read_metadata
from codeloc_envs.project.workspace import workspace_table
from codeloc_envs.request import EnvironmentKind, PythonWish, Request, Specification

# --- uv as a child process ---------------------------------------------------------------------

_OFFLINE = ("network was disabled", "Network connectivity is disabled")
_UNREACHABLE = ("error sending request", "dns error", "tcp connect error", "operation timed out")


@dataclass(frozen=True, slots=True)
class InstallerResult:
    """How a command ended, and what it said."""

    ok: bool
    output: str

    @property
    def missed_the_network(self) -> bool:
        """It failed for want of a network that it was not allowed to use."""
        return not self.ok and any(mark in self.output for mark in _OFFLINE)

    @property
    def may_pass(self) -> bool:
        """It failed for something that comes back by itself: the network, or its server."""
        return self.found_no_network or "HTTP status server error" in self.output

    @property
    def shortage(self) -> int | None:
        """What the machine lacked, as far as the installer says (`errno`)."""
        return None if self.ok else shortage_in(self.output)

    @property
    def found_no_version(self) -> bool:
        """It failed because no index that it knows has a version that was asked for."""
        return not self.ok and "No solution found" in self.output

    @property
    def found_another_file(self) -> bool:
        """It failed because a file has another hash: of several, a folder does not tell which."""
        return not self.ok and "Hash mismatch for" in self.output

    @property
    def found_no_network(self) -> bool:
        """It failed because nothing answered."""
        return not self.ok and any(mark in self.output for mark in _UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Installer:
    """Runs an installer, `command`, with these variables: uv, unless it says otherwise.

    `held` are descriptors of locks that the child shares: as long as it works, even after
    this process was killed, no collector takes the environment away under it.
    """

    variables: Mapping[str, str]
    command: Sequence[str] = ()

    def run(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        listen: Listener,
        held: Sequence[int] = (),
    ) -> InstallerResult:
        """Runs to its end; raises EnvironmentProblem if it cannot be started, or cannot read
        its settings.
        """
        narrator = ProgressReader(listen)
        command = self.command or [_binary()]
        begin = directory if self.command else begin_of_uv_settings(directory)
        elsewhere = {"UV_PROJECT": str(begin)} if begin != directory else {}
        try:
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=directory,
                env={**self.variables, **elsewhere},
                pass_fds=held,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise EnvironmentProblem(
                f"{command[0]} cannot be started in {directory}: {error}", shortage=shortage(error)
            ) from None
        with process:
            assert process.stderr is not None
            for line in process.stderr:
                narrator.hear(line)
        return InstallerResult(process.returncode == 0, narrator.output)


@cache
def _binary() -> str:
    try:
        return find_uv_bin()
    except FileNotFoundError:
        raise EnvironmentProblem(
            "uv, which installs packages, is missing beside codelocd; run: pip install uv"
        ) from None


def download(
    wish: PythonWish, folder: Path, variables: Mapping[str, str], listen: Listener
) -> None:
    """Fetch a Python with uv, where the machine has none that fits and its owner allows it.

    Install the newest Python that fits below `folder`; raises EnvironmentProblem.

    https://docs.astral.sh/uv/guides/install-python/
    """
    asked = wish.asked or wish.requires or ""
    listen(Progress("downloading", f"python {asked}".strip()))
    found = Installer(
        {**variables, "UV_PYTHON_DOWNLOADS": "manual", "UV_PYTHON_INSTALL_DIR": str(folder)}
    ).run(
        ["python", "install", "--no-bin", *([asked] if asked else [])],
        directory=folder.parent,
        listen=listen,
    )
    if not found.ok:
        summary = f"python {asked} is not on this machine, and uv could not fetch it"
        raise EnvironmentProblem(
            summary, found.output, passing=found.may_pass, shortage=found.shortage
        )


# --- the two installers, as a build uses them --------------------------------------------------

_DONE = InstallerResult(True, "")
_RESOLVED = (
    EnvironmentKind.PACKAGES,
    EnvironmentKind.SCRIPT,
    EnvironmentKind.PROJECT,
    EnvironmentKind.PIPENV,
)
"""What is resolved with the indexes that it is installed from."""


class Tool(Protocol):
    """An installer; both methods raise EnvironmentProblem if it cannot be asked at all."""

    def lock(self, output: Path, requirements: Path) -> InstallerResult:
        """Write what exactly is installed into `output`; `requirements` is a file to use.

        Raises EnvironmentProblem, too, for what has no file with a hash that is asked for.
        """
        ...

    def install(self, lock: Lock, python: Path, held: Sequence[int]) -> InstallerResult:
        """Install it into the environment of `python`; the child keeps the locks `held`."""
        ...


def tool_of(
    specification: Specification,
    interpreter: Interpreter,
    variables: Mapping[str, str],
    listen: Listener,
) -> Tool:
    """The installer that was asked for; `variables` are those for uv."""
    if specification.request.installation.installer == "pip":
        return Pip(specification, interpreter, listen)
    return Uv(specification, interpreter, variables, listen)


@dataclass(frozen=True, slots=True)
class Uv:
    """uv, which has a cache that may be enough without a network."""

    specification: Specification
    interpreter: Interpreter
    variables: Mapping[str, str]
    listen: Listener

    def lock(self, output: Path, requirements: Path) -> InstallerResult:
        """Without a network, what the package cache knows may be enough."""
        python = self.interpreter.executable
        command = resolving(self.specification, facts(self.specification), python, requirements)
        if command is None:
            output.write_text(EMPTY_LOCK)
            return _DONE
        self._warn()
        check_for_uv(self.specification.request.requirements)
        _write_lines(requirements, command.requirements)
        hashes = named_hashes(self.specification)
        if hashes.first is not None:
            output.unlink(missing_ok=True)  # what an earlier lock left out is wanted, too
        finished = self._compiled([*command.arguments, "--output-file", str(output)])
        if finished.ok and hashes.first is not None:
            write_packages(output, held_to(read_lock(output), hashes))
        return finished

    def _compiled(self, arguments: Sequence[str]) -> InstallerResult:
        finished = self._run(arguments)
        if not finished.found_no_network:
            return finished
        again = self._run([*arguments, "--offline"])
        return again if again.ok else finished

    def install(self, lock: Lock, python: Path, held: Sequence[int]) -> InstallerResult:
        """From the package cache if it has everything: ten times quicker, and no network."""
        text = pinned(lock) if self.specification.kind in _RESOLVED else None
        if text is not None:
            requirements = python.parent.parent / "requirements.txt"
            _write_lines(requirements, text.splitlines())
            finished = self._sync(requirements, lock, python, held)
            if not (finished.found_no_version or finished.found_another_file):
                return finished
        return self._sync(lock.path, lock, python, held)

    def _sync(self, file: Path, lock: Lock, python: Path, held: Sequence[int]) -> InstallerResult:
        rebuilt = [source.name for source in lock.sources()]
        for offline in (True, False):
            arguments = installing(self.specification, file, python, rebuilt, offline=offline)
            finished = self._run(arguments, held)
            if finished.ok or not offline or not finished.missed_the_network:
                break
        return finished

    def _warn(self) -> None:
        """Of pip's options that change what is installed, and that uv does not have."""
        if self.specification.request.installation.index.names_places:
            return
        unseen = options_unseen(os.environ, Path.home())
        if unseen:
            text = f"pip is configured with {', '.join(unseen)}, which uv does not read"
            self.listen(Progress("warning", f'{text}; installer = "pip" does'))

    def _run(self, arguments: Sequence[str], held: Sequence[int] = ()) -> InstallerResult:
        directory = self.specification.directory
        return Installer(self.variables).run(
            arguments, directory=directory, listen=self.listen, held=held
        )


@dataclass(frozen=True, slots=True)
class Pip:
    """pip, with its own configuration."""

    specification: Specification
    interpreter: Interpreter
    listen: Listener

    def lock(self, output: Path, requirements: Path) -> InstallerResult:
        asked = self.specification
        if asked.kind is EnvironmentKind.PACKAGES and not (
            asked.request.packages or asked.request.requirements or asked.request.added
        ):
            output.write_text(EMPTY_LOCK)
            return _DONE
        arguments, lines = locking(asked, requirements, output)
        _write_lines(requirements, lines)
        return self._run(self.interpreter.executable, arguments)

    def install(self, lock: Lock, python: Path, held: Sequence[int]) -> InstallerResult:
        return self._run(python, unpacking(lock.path), held)

    def _run(
        self, python: Path, arguments: Sequence[str], held: Sequence[int] = ()
    ) -> InstallerResult:
        variables = variables_for_pip(os.environ, self.specification.request.installation.index)
        installer = Installer(variables, pip_command(self.interpreter, python))
        directory = self.specification.directory
        return installer.run(arguments, directory=directory, listen=self.listen, held=held)


def facts(specification: Specification) -> Facts:
    """What the files of a specification say; raises EnvironmentProblem."""
    project, script = specification.request.project, specification.script
    if specification.kind is EnvironmentKind.PROJECT and project is not None:
        return _facts_of_project(read_project(project), specification.request)
    if specification.kind is EnvironmentKind.PIPENV and specification.request.lock is not None:
        return Facts(lines=tuple(pipenv_requirements(specification.request.lock)))
    if specification.kind is EnvironmentKind.UV_LOCK:
        return Facts(is_workspace=workspace_table(specification.directory) is not None)
    metadata = read_metadata(script) if script is not None else None
    if script is None or metadata is None:
        return Facts()
    listed = None if seen_text(script) is not None else metadata.dependencies
    return Facts(for_uv=metadata.for_uv, dependencies=listed)


def _facts_of_project(project: Pyproject, request: Request) -> Facts:
    if project.is_package:
        return Facts()
    lines = project.loose_requirements(request.extras, request.groups)
    return Facts(False, lines=None if lines is None else tuple(lines))


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))
