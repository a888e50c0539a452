"""The Pythons of this machine, found and asked once, and remembered by identity."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from codeloc_envs.files import WRONG, mapping, read_json, read_record, write_json
from codeloc_envs.interpreter import (
    FileIdentity,
    Interpreter,
    ask,
    is_path,
    newest,
    python_of,
    satisfies,
)
from codeloc_envs.problem import EnvironmentProblem, shortage
from codeloc_envs.request import PythonWish

SEARCHED = "PATH, pyenv, mise, asdf, uv, conda, Homebrew, /opt and /usr/bin"
_NAME = re.compile(r"^(python3(\.\d+)?t?|pypy3(\.\d+)?)$")
_CONDA_HOMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
_FIXED = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin")
_INSTALLATIONS = (
    "/opt/python*",
    "/opt/python/*",
    "/opt/pypy*",
    "/opt/hostedtoolcache/Python/*/*",
    "/opt/homebrew/opt/python@3*",
    "/usr/local/opt/python@3*",
    "/Library/Frameworks/Python.framework/Versions/*",
    "/Library/Developer/CommandLineTools/usr",
)


def candidates(
    variables: Mapping[str, str], home: Path, fetched: Path | None = None
) -> Iterator[Path]:
    """Where Pythons are installed.

    Paths that may be Pythons, the preferred place first; the same one may come twice.

    PATH alone is not enough: version managers put only the active version there, and a
    service has a bare one. Directories of shims are left out: what a shim runs depends on
    the directory it is called from.
    """
    yield Path(getattr(sys, "_base_executable", sys.executable))
    seen = set[tuple[int, int]]()
    for directory in _directories(variables, home, fetched):
        identity = _identity(directory)
        if identity is not None and identity not in seen:  # /bin is often a link to /usr/bin
            seen.add(identity)
            yield from _in_directory(directory)


def _directories(variables: Mapping[str, str], home: Path, fetched: Path | None) -> Iterator[str]:
    for prefix in [*_managed(variables, home), *(_matches(fetched, "*") if fetched else ())]:
        yield f"{prefix}/bin"
    for directory in dict.fromkeys([*variables.get("PATH", "").split(os.pathsep), *_FIXED]):
        if directory and not directory.rstrip("/").endswith("/shims"):
            yield directory
    for pattern in _INSTALLATIONS:
        for prefix in _matches("/", pattern.lstrip("/")):
            yield f"{prefix}/bin"
    for prefix in _conda(variables, home):
        yield f"{prefix}/bin"


def _identity(directory: str) -> tuple[int, int] | None:
    try:
        found = os.stat(directory)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _managed(variables: Mapping[str, str], home: Path) -> Iterator[str]:
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local/share")
    stores = [
        (variables.get("PYENV_ROOT"), home / ".pyenv", "versions/*"),
        (variables.get("MISE_DATA_DIR"), data / "mise", "installs/python/*"),
        (variables.get("ASDF_DATA_DIR"), home / ".asdf", "installs/python/*"),
        (variables.get("UV_PYTHON_INSTALL_DIR"), data / "uv/python", "*"),
    ]
    for configured, usual, pattern in stores:
        for root in {Path(configured or usual), usual}:
            yield from _matches(root, pattern)


def _conda(variables: Mapping[str, str], home: Path) -> Iterator[str]:
    bases = [*(str(home / name) for name in _CONDA_HOMES), "/opt/conda", "/opt/miniconda3"]
    if executable := variables.get("CONDA_EXE"):
        bases.insert(0, str(Path(executable).parent.parent))
    for base in bases:
        yield base
        yield from _matches(base, "envs/*")


def _matches(root: Path | str, pattern: str) -> list[str]:
    """As `Path.glob`, and in a third of the time: all these places are looked at each time.

    A part of the pattern without a star is not looked for.
    """
    found = [str(root)]
    for part in pattern.split("/"):
        if "*" in part:
            found = [os.path.join(each, name) for each in found for name in _names(each, part)]
        else:
            found = [os.path.join(each, part) for each in found]
    return found


def _names(folder: str, pattern: str) -> list[str]:
    return sorted(fnmatch.filter(_listed(folder), pattern))


def _listed(folder: str) -> list[str]:
    """Its entries; none where there is no such folder. OSError where the machine is short."""
    try:
        return os.listdir(folder)
    except OSError as error:
        if shortage(error):
            raise
        return []


def _in_directory(directory: str) -> Iterator[Path]:
    if sys.platform == "darwin" and directory == "/usr/bin":
        return  # its python3 is a stub that may open a dialog instead of running
    names = [name for name in _listed(directory) if name.startswith("py")]
    pythons = filter(_NAME.match, names)
    for name in sorted(pythons, key=lambda name: (-len(name), name)):
        yield Path(directory, name)


OLDEST = (3, 8)
"""What a runner still runs on; older ones are not offered."""


class NotAskedYetError(Exception):
    """An answer needs a process to be started, and the caller wants none."""


class Interpreters:
    """Finds Pythons. Answers are kept in the file `cache`, by path and identity.

    With `ask=False` a method starts no process: it raises NotAskedYetError instead.
    """

    def __init__(
        self,
        cache: Path,
        places: Callable[[], Iterable[Path]] | None = None,
        *,
        fetched: Path | None = None,
    ) -> None:
        """`fetched`: a folder of further Pythons."""
        self._cache = cache
        self._places = places or (lambda: candidates(os.environ, Path.home(), fetched))
        self._known = read_record(cache, mapping) or {}
        self._changed = False

    def every(self, *, ask: bool = True) -> tuple[Interpreter, ...]:
        """All that are old enough and no virtual environments, each binary once."""
        found: dict[str, Interpreter] = {}
        for path in dict.fromkeys(self._places()):
            python = None if _is_virtual(path) else self._look(path, ask)
            if python and python.version[:2] >= OLDEST:
                found.setdefault(python.identity.realpath, python)
        self._save()
        return tuple(found.values())

    def at(self, executable: Path, *, ask: bool = True) -> Interpreter | None:
        """The Python at that very path, None if there is none."""
        python = self._look(executable, ask)
        self._save()
        return python

    def find(self, wish: PythonWish, *, ask: bool = True) -> Interpreter:
        """The newest that fits; raises EnvironmentProblem with what was asked and what there is."""
        if wish.asked and is_path(wish.asked):
            python = self._named(wish, Path(wish.asked).expanduser(), ask)
        else:
            pythons = self.every(ask=ask)
            found = newest(pythons, wish.asked or wish.requires)
            if found is None:
                raise EnvironmentProblem(_not_found(wish, pythons))
            python = found
        if wish.requires and not satisfies(python.text, wish.requires):
            raise EnvironmentProblem(_excluded(wish, python))
        return python

    def _named(self, wish: PythonWish, path: Path, ask: bool) -> Interpreter:
        executable = (python_of(path) or path) if os.path.isdir(path) else path
        python = self.at(executable, ask=ask)
        if python is None:
            raise EnvironmentProblem(
                f"{executable}{_by(wish.asked_by)} is no Python that runs; "
                "name an interpreter, or a version"
            )
        return python

    def _look(self, path: Path, may_ask: bool) -> Interpreter | None:
        try:
            identity = FileIdentity.of(path).to_json()
        except OSError:
            return None
        with contextlib.suppress(*WRONG):  # a damaged record is made again
            kept = self._known[str(path)]
            if kept["identity"] == identity:
                return Interpreter.from_json(kept["python"]) if kept["python"] else None
        if not may_ask:
            raise NotAskedYetError(path)
        python = ask(path)
        self._known[str(path)] = {"identity": identity, "python": python and python.to_json()}
        self._changed = True
        return python

    def _save(self) -> None:
        """Two savers at once lose an answer, which is then asked for again; so does a full disk."""
        if self._changed:
            with contextlib.suppress(OSError):
                write_json(self._cache, self._known)
            self._changed = False


def _is_virtual(python: Path) -> bool:
    return os.path.exists(os.path.join(os.path.dirname(os.path.dirname(python)), "pyvenv.cfg"))


def _by(source: str) -> str:
    return f" ({source})" if source else ""


def _not_found(wish: PythonWish, pythons: Iterable[Interpreter]) -> str:
    asked = (
        f"{wish.asked}{_by(wish.asked_by)}"
        if wish.asked
        else f"{wish.requires}{_by(wish.required_by)}"
    )
    there = ", ".join(_labels(pythons)) or "none"
    return (
        f"python {asked} not found; there is: {there} (looked in {SEARCHED}); "
        'install it, or set python = "..." to one of these'
    )


def _labels(pythons: Iterable[Interpreter]) -> Iterator[str]:
    ordered = sorted(pythons, key=lambda each: each.version, reverse=True)
    return iter(dict.fromkeys(each.label for each in ordered))


def _excluded(wish: PythonWish, python: Interpreter) -> str:
    return (
        f"python {python.label}{_by(wish.asked_by)} is not allowed by "
        f"requires-python {wish.requires}{_by(wish.required_by)}; change one of the two"
    )


SCRIPT_TIMEOUT = 30.0
"""Seconds that all scripts of a prefix may take."""

_OURS = frozenset({"PATH", "HOME", "_", "SHLVL", "PWD", "OLDPWD"})
_SOURCE_ALL = 'for script; do . "$script" >&2 || exit 1; done; env -0'


def activation(prefix: Path, cache: Path, *, ask: bool) -> dict[str, str]:
    """What activating a conda or pixi prefix sets: asked of a shell once, then remembered.

    https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/activation.html

    The variables, CONDA_PREFIX among them; PATH is not: its `bin` comes first there.

    Answers are kept in the file `cache` as long as the scripts are the same. With `ask=False` no
    process is started: NotAskedYetError. Raises EnvironmentProblem for a script that fails.
    """
    variables = {"CONDA_PREFIX": str(prefix), **_stated(prefix)}
    scripts = sorted(prefix.glob("etc/conda/activate.d/*.sh"))
    if not scripts:
        return variables
    identity = [[str(s), s.stat().st_size, s.stat().st_mtime_ns] for s in scripts]
    known = read_record(cache, mapping) or {}
    with contextlib.suppress(*WRONG):  # a damaged record is made again
        if known[str(prefix)]["scripts"] == identity:
            return {**variables, **mapping(known[str(prefix)]["variables"])}
    if not ask:
        raise NotAskedYetError(prefix)
    asked = _run_scripts(prefix, scripts, variables)
    with contextlib.suppress(OSError):  # a full disk: it is asked for again
        kept = {"scripts": identity, "variables": asked}
        write_json(cache, {**known, str(prefix): kept})
    return {**variables, **asked}


def _stated(prefix: Path) -> dict[str, str]:
    """What `conda env config vars set` keeps."""
    state = read_json(prefix / "conda-meta/state")
    stated = state.get("env_vars", {}) if isinstance(state, Mapping) else {}
    return {str(name): str(value) for name, value in stated.items()}


def _run_scripts(prefix: Path, scripts: list[Path], variables: Mapping[str, str]) -> dict[str, str]:
    shell = shutil.which("bash") or "/bin/sh"
    path = f"{prefix / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    begin = {**variables, "PATH": path, "HOME": str(Path.home())}
    try:
        done = subprocess.run(
            [shell, "-c", _SOURCE_ALL, "activate", *scripts],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=SCRIPT_TIMEOUT,
            cwd=prefix,
            env=begin,
        )
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        raise EnvironmentProblem(
            f"activating {prefix} failed: a script in etc/conda/activate.d; its output is below",
            output or str(error),
            inputs=tuple(scripts),
            shortage=shortage(error),
        ) from None
    pairs = (text.partition("=") for text in done.stdout.decode(errors="replace").split("\0"))
    after = {name: value for name, equals, value in pairs if equals}
    return {n: v for n, v in after.items() if n not in _OURS and variables.get(n) != v}
