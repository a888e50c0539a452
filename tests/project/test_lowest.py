"""The lowest dependencies are compared with known advisories, without network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADVISORY = """\
[[advisory]]
package = "{package}"
id = "CVE-1"
fixed = "{fixed}"
what = "it does wrong"
{more}
"""


@pytest.mark.parametrize(
    ("requirement", "package", "fixed", "more", "said"),
    [
        ("click>=8.2", "click", "8.2", "", ""),
        ("click>=8.2", "click", "8.2.1", "", "click>=8.2 has CVE-1 (it does wrong): allow 8.2.1"),
        ("click>=8.2", "click", "8.2.1", 'ignored = "that is not used"', ""),
        ("click>=8.2", "clack", "8", "", "clack is no dependency"),
        ("click", "click", "8", "", "click: give it one lower bound"),
        ("click>=8.2,<9", "click", "8", "", "click: give it one lower bound"),
    ],
)
def test_an_advisory_that_holds_for_the_lowest_release_is_a_fault(
    tmp_path: Path, requirement: str, package: str, fixed: str, more: str, said: str
) -> None:
    (tmp_path / ".ci").mkdir()
    program = shutil.copy(ROOT / ".ci" / "lowest.py", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text(f'[project]\ndependencies = ["{requirement}"]\n')
    text = ADVISORY.format(package=package, fixed=fixed, more=more)
    (tmp_path / ".ci" / "advisories.toml").write_text(text)
    command = [sys.executable, program]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert said in done.stderr
    assert done.returncode == (1 if said else 0), done.stderr


def test_the_project_passes() -> None:
    subprocess.run([sys.executable, ROOT / ".ci" / "lowest.py"], check=True)
