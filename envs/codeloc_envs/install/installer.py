"""Runs uv as a child process and follows what it prints; lets it fetch a Python."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uv import find_uv_bin

from codeloc_envs.install.output import Listener, Progress, ProgressReader
from codeloc_envs.install.uv_settings import begin_of_uv_settings
from codeloc_envs.problem import EnvironmentProblem, shortage, shortage_in
from codeloc_envs.request import PythonWish

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
