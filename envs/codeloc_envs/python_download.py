"""Fetching a Python with uv, where the machine has none that fits and its owner allows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codeloc_envs.installer import Installer
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.progress import Listener, Progress
from codeloc_envs.specification import PythonWish


def download(
    wish: PythonWish, folder: Path, variables: Mapping[str, str], listen: Listener
) -> None:
    """Install the newest Python that fits below `folder`; raises EnvironmentProblem.

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
        raise EnvironmentProblem(summary, found.output, passing=found.may_pass)
