"""Which interpreters fit what was asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from codeloc_envs.interpreter import Interpreter, version_text
from codeloc_envs.problem import EnvironmentProblem

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
