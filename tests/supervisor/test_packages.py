"""The line that adds a missing package, for each kind of environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs import Request, Specification
from codeloc_envs.specification import Kind
from codelocd.packages import remedy

HERE = Path("/shop")
CASES = [
    (
        Specification(Kind.PACKAGES, HERE, Request(packages=("dagster",))),
        'add to [location.sales.environment]: packages = ["dagster", "pandas"]',
    ),
    (
        Specification(Kind.PACKAGES, HERE, Request(requirements=(HERE / "requirements.txt",))),
        "add the line pandas to /shop/requirements.txt",
    ),
    (
        Specification(Kind.PROJECT, HERE, Request(project=HERE)),
        'add "pandas" to dependencies in /shop/pyproject.toml',
    ),
    (
        Specification(Kind.SCRIPT, HERE, script=HERE / "defs.py"),
        'add "pandas" to the dependencies at the top of /shop/defs.py',
    ),
    (Specification(Kind.UV_LOCK, HERE), "run: uv add --project /shop pandas"),
    (
        Specification(Kind.PYLOCK, HERE, Request(lock=HERE / "pylock.toml")),
        "add pandas to what /shop/pylock.toml is made from, and lock again",
    ),
    (
        Specification(Kind.EXISTING, HERE, Request(path=HERE / ".venv")),
        "install pandas into /shop/.venv, which is used as it is",
    ),
]


@pytest.mark.parametrize(("environment", "line"), CASES)
def test_a_missing_package_is_told_with_the_line_that_adds_it(environment, line):
    assert remedy("pandas", environment, "sales") == line


def test_a_package_may_have_another_name_than_its_module():
    environment = Specification(Kind.UV_LOCK, HERE)
    assert remedy("yaml", environment, "sales").endswith(" pyyaml")
    assert remedy("my_tool", environment, "sales").endswith(" my-tool")
