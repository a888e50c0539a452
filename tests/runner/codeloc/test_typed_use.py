"""Type checkers understand the decorators, with and without options, and refuse wrong ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
USE = Path(__file__).with_name("typed_use_of_codeloc.py")
WRONG = {
    number
    for number, line in enumerate(USE.read_text().splitlines(), 1)
    if line.endswith("# error")
}


@pytest.fixture
def use(tmp_path: Path) -> Path:
    """A copy that stands outside: the file itself is none that `make check` checks."""
    return Path(shutil.copy(USE, tmp_path))


def test_mypy_refuses_exactly_what_is_wrong(use: Path, pytestconfig: pytest.Config) -> None:
    cache = pytestconfig.rootpath / ".mypy_cache"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "-O", "json", "--cache-dir", cache, use],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]

    assert {each["line"] for each in told if each["severity"] == "error"} == WRONG


def test_pyright_refuses_exactly_what_is_wrong(use: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", use],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    told = json.loads(done.stdout)["generalDiagnostics"]

    assert {each["range"]["start"]["line"] + 1 for each in told} == WRONG
