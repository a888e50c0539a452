"""What activating a conda or pixi prefix sets: asked of a shell once, then remembered.

https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/activation.html
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.interpreters import NotAskedYetError
from codeloc_envs.json_file import read_json, write_json
from codeloc_envs.problem import EnvironmentProblem

TIMEOUT = 30.0
"""Seconds that all scripts of a prefix may take."""

_OURS = frozenset({"PATH", "HOME", "_", "SHLVL", "PWD", "OLDPWD"})
_SOURCE_ALL = 'for script; do . "$script" >&2 || exit 1; done; env -0'


def activation(prefix: Path, cache: Path, *, ask: bool) -> dict[str, str]:
    """The variables, CONDA_PREFIX among them; PATH is not: its `bin` comes first there.

    Answers are kept in the file `cache` as long as the scripts are the same. With `ask=False` no
    process is started: NotAskedYetError. Raises EnvironmentProblem for a script that fails.
    """
    variables = {"CONDA_PREFIX": str(prefix), **_stated(prefix)}
    scripts = sorted(prefix.glob("etc/conda/activate.d/*.sh"))
    if not scripts:
        return variables
    identity = [[str(s), s.stat().st_size, s.stat().st_mtime_ns] for s in scripts]
    known: dict[str, Any] = read_json(cache) or {}
    kept = known.get(str(prefix))
    if kept is None or kept["scripts"] != identity:
        if not ask:
            raise NotAskedYetError(prefix)
        kept = {"scripts": identity, "variables": _run(prefix, scripts, variables)}
        write_json(cache, {**known, str(prefix): kept})
    return {**variables, **kept["variables"]}


def _stated(prefix: Path) -> dict[str, str]:
    """What `conda env config vars set` keeps."""
    state = read_json(prefix / "conda-meta/state")
    stated = state.get("env_vars", {}) if isinstance(state, Mapping) else {}
    return {str(name): str(value) for name, value in stated.items()}


def _run(prefix: Path, scripts: list[Path], variables: Mapping[str, str]) -> dict[str, str]:
    shell = shutil.which("bash") or "/bin/sh"
    path = f"{prefix / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    begin = {**variables, "PATH": path, "HOME": str(Path.home())}
    try:
        done = subprocess.run(
            [shell, "-c", _SOURCE_ALL, "activate", *scripts],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=TIMEOUT,
            cwd=prefix,
            env=begin,
        )
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        raise EnvironmentProblem(
            f"activating {prefix} failed: a script in etc/conda/activate.d; its output is below",
            output or str(error),
            inputs=tuple(scripts),
        ) from None
    pairs = (text.partition("=") for text in done.stdout.decode(errors="replace").split("\0"))
    after = {name: value for name, equals, value in pairs if equals}
    return {n: v for n, v in after.items() if n not in _OURS and variables.get(n) != v}
