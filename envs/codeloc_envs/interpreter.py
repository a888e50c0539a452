"""One Python on this machine: what it says of itself, and whether it fits what was asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from codeloc_envs.problem import EnvironmentProblem, shortage

Version = tuple[int, int, int, str, int]
"""As `sys.version_info`; its parts compare in the order of releases (alpha, beta, ..., final)."""

_STAGES = {"alpha": "a", "beta": "b", "candidate": "rc"}


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What changes when the file behind a path is replaced (size in bytes, time in ns)."""

    realpath: str
    size: int
    mtime: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity:
        """Raises OSError."""
        real = os.path.realpath(path, strict=True)
        stat = os.stat(real)
        return cls(real, stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def to_json(self) -> list[str | int]:
        return [self.realpath, self.size, self.mtime, self.inode]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a Python said of itself when it was asked, and the identity it had then.

    `abi` is the suffix of its extension modules: it names implementation, version,
    platform and flavour (`.cpython-313t-x86_64-linux-gnu.so`).
    """

    executable: Path
    identity: FileIdentity
    implementation: str
    version: Version
    free_threaded: bool
    abi: str
    machine: str

    @property
    def text(self) -> str:
        """`3.12.1`, `3.14.0rc2`."""
        return version_text(self.version)

    @property
    def label(self) -> str:
        """How it is called in a message: `3.12.1`, `3.13.0t`, `pypy3.10.14`."""
        name = "" if self.implementation == "cpython" else self.implementation
        return f"{name}{self.text}{'t' if self.free_threaded else ''}"

    @property
    def is_prerelease(self) -> bool:
        return self.version[3] != "final"

    def fingerprint(self) -> list[Any]:
        """What an environment built with it depends on."""
        return [*self.identity.to_json(), self.label, self.abi, self.machine]

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**data, "executable": str(self.executable), "identity": self.identity.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interpreter:
        major, minor, micro, level, serial = data["version"]
        return cls(
            **{
                **data,
                "executable": Path(data["executable"]),
                "identity": FileIdentity(*data["identity"]),
                "version": (major, minor, micro, level, serial),
            }
        )


def version_text(version: Version) -> str:
    """As packaging writes it."""
    major, minor, micro, level, serial = version
    stage = f"{_STAGES[level]}{serial}" if level in _STAGES else ""
    return f"{major}.{minor}.{micro}{stage}"


def python_of(prefix: Path) -> Path | None:
    """The interpreter of an environment or installation at `prefix`; a dangling link counts."""
    for name in ("python", "python3"):
        candidate = prefix / "bin" / name
        if os.path.lexists(candidate):
            return candidate
    return None


TIMEOUT = 10.0
"""Seconds. A Python answers in 20 ms, from a network filesystem that wakes up in some seconds."""

# Runs on any Python since 3.0, and without `site`: no .pth file and no sitecustomize of the
# user's is executed, and with -B nothing is written.
_QUESTION = """
import _imp, json, os, sys
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": list(sys.version_info),
    "free_threaded": "t" in getattr(sys, "abiflags", ""),
    "abi": (_imp.extension_suffixes() or [""])[0],
    "machine": sys.platform + "-" + os.uname().machine,
}))
"""


def ask(executable: Path) -> Interpreter | None:
    """Ask a Python what it is.

    What `executable` says it is; None if it is no Python 3 that runs, or a shim.

    A shim (pyenv's scripts, mise's links to itself) is told by what it is, without running it.
    """
    try:
        identity = FileIdentity.of(executable)
        if not _may_be_python(Path(identity.realpath)):
            return None
        answer = subprocess.run(
            [executable, "-I", "-S", "-B", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=TIMEOUT,
            cwd="/",
            env={},
        )
        return _interpreter(executable, identity, answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        if shortage(error):
            raise
        return None


def _may_be_python(real: Path) -> bool:
    if "py" not in real.name.lower():
        return False
    with real.open("rb") as file:
        return file.read(2) != b"#!"


def _interpreter(executable: Path, identity: FileIdentity, answer: bytes) -> Interpreter:
    said = json.loads(answer)
    return Interpreter.from_json(
        {**said, "executable": str(executable), "identity": identity.to_json()}
    )


_NAMED = re.compile(
    r"^(?P<name>python|cpython|pypy|graalpy)?[-@]?(?P<numbers>\d+(?:\.\d+){0,2})?"
    r"(?P<pre>(?:a|b|rc)\d+)?(?P<free>t)?(?:-\S+)?$",
    re.IGNORECASE,
)
Test = Callable[[Interpreter], bool]


def newest(pythons: Iterable[Interpreter], asked: str | None) -> Interpreter | None:
    """The newest of `pythons` that fits; of equals the first.

    CPython unless another is named, free-threaded only if asked for, a pre-release only
    if nothing else fits. Raises EnvironmentProblem if `asked` is no specifier.
    """
    fits = _test(asked)
    fitting = [python for python in pythons if fits(python)]
    return max(fitting, key=lambda each: (not each.is_prerelease, each.version), default=None)


def satisfies(version: str, requires: str) -> bool:
    """`version` is within a `requires-python`; raises EnvironmentProblem if that is invalid."""
    return _specifiers(requires).contains(version, prereleases=True)


def fits_text(asked: str, version: str) -> bool:
    """The version of an existing environment fits what was asked."""
    if _is_range(asked):
        return satisfies(version, asked)
    found = _named(asked)
    return _starts_with(version, found["numbers"])


def check(asked: str | None, requires: str | None, sources: tuple[str, str]) -> None:
    """Raises EnvironmentProblem if one of the two is nothing that can be found, with its source."""
    for text, source, read in zip((asked, requires), sources, (_test, _specifiers), strict=True):
        if text is None or is_path(text):
            continue
        try:
            read(text)
        except EnvironmentProblem as problem:
            files = (Path(source),) if is_path(source) else ()
            raise EnvironmentProblem(f"{problem.summary} ({source})", inputs=files) from None


def is_path(asked: str) -> bool:
    """`asked` names a file or a folder, not a version."""
    return "/" in asked


def _test(asked: str | None) -> Test:
    if asked is None:
        return _ordinary
    if _is_range(asked):
        specifiers = _specifiers(asked)
        return lambda each: _ordinary(each) and specifiers.contains(each.text, prereleases=True)
    return _named_test(_named(asked))


def _ordinary(python: Interpreter) -> bool:
    return python.implementation == "cpython" and not python.free_threaded


def _named_test(found: re.Match[str]) -> Test:
    name = (found["name"] or "python").lower()
    implementation = "cpython" if name == "python" else name
    numbers = (found["numbers"] or "") + (found["pre"] or "")
    return lambda each: (
        each.implementation == implementation
        and each.free_threaded == bool(found["free"])
        and _starts_with(version_text(each.version), numbers)
    )


def _starts_with(version: str, numbers: str | None) -> bool:
    return not numbers or version == numbers or version.startswith(numbers + ".")


def _is_range(asked: str) -> bool:
    return asked.startswith(("<", ">", "=", "!", "~"))


def _named(asked: str) -> re.Match[str]:
    found = _NAMED.match(asked.strip())
    if not found or not asked.strip():
        raise EnvironmentProblem(
            f'"{asked}" is no Python version; write for example 3.12, >=3.9,<3.11, 3.13t, '
            "pypy3.10 or the path of an interpreter"
        )
    return found


def _specifiers(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise EnvironmentProblem(
            f'"{text}" is no version specifier; write for example >=3.9,<3.13'
        ) from None
