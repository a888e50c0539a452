"""Which interpreter fits what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem
from codeloc_envs.interpreter import FileIdentity, Interpreter, Version, newest


def python(
    version: Version, implementation: str = "cpython", *, free_threaded: bool = False
) -> Interpreter:
    identity = FileIdentity("/python", 1, 1, 1)
    return Interpreter(
        Path("/python"), identity, implementation, version, free_threaded, ".so", "linux-x86_64"
    )


PYTHONS = (
    python((3, 9, 18, "final", 0)),
    python((3, 10, 4, "final", 0)),
    python((3, 10, 13, "final", 0)),
    python((3, 12, 1, "final", 0)),
    python((3, 13, 0, "final", 0), free_threaded=True),
    python((3, 14, 0, "candidate", 2)),
    python((3, 10, 14, "final", 0), "pypy"),
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, "3.12.1"),
        ("3", "3.12.1"),
        ("3.10", "3.10.13"),
        ("3.10.4", "3.10.4"),
        ("python3.9", "3.9.18"),
        ("cpython@3.10", "3.10.13"),
        (">=3.9,<3.11", "3.10.13"),
        ("<3.10", "3.9.18"),
        (">3.9.18,<3.10.13", "3.10.4"),
        ("~=3.10.0", "3.10.13"),
        ("==3.10.*", "3.10.13"),
        ("!=3.12.1,>=3.10,<3.14", "3.10.13"),
        ("3.13t", "3.13.0t"),
        ("pypy3.10", "pypy3.10.14"),
        ("pypy3.10-7.3.17", "pypy3.10.14"),
        ("pypy", "pypy3.10.14"),
        ("3.14", "3.14.0rc2"),
        (">=3.14.0rc1", "3.14.0rc2"),
        ("3.1", None),
        ("3.13", None),
        ("3.99", None),
    ],
)
def test_the_newest_that_fits_is_taken_by_version_not_by_text(
    asked: str | None, found: str | None
) -> None:
    best = newest(PYTHONS, asked)
    assert (best and best.label) == found


def test_of_equal_versions_the_first_place_wins() -> None:
    first, second = python((3, 12, 1, "final", 0)), python((3, 12, 1, "final", 0))
    assert newest([first, second], "3.12") is first


@pytest.mark.parametrize("asked", ["my-virtualenv", "system", "three", "", ">=three", ">>3"])
def test_what_is_no_version_is_refused_with_examples(asked: str) -> None:
    with pytest.raises(EnvironmentProblem, match="write for example"):
        newest(PYTHONS, asked)
