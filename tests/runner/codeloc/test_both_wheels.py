"""The wheel of the daemon and that of `codeloc` by itself carry the same package."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import codeloc

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By distribution, built from the checkout."""
    built = {}
    for distribution, project in (("codelocd", ROOT), ("codeloc", ROOT / "runner")):
        target = tmp_path_factory.mktemp(distribution)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target],
            cwd=project,
            check=True,
            capture_output=True,
            timeout=120,
        )
        (built[distribution],) = target.glob("*.whl")
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def package(wheel: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(wheel).items() if name.startswith("codeloc/")}


def metadata(wheel: Path) -> Message:
    (text,) = (data for name, data in contents(wheel).items() if name.endswith("/METADATA"))
    return message_from_bytes(text)


def test_both_carry_the_same_files(wheels: dict[str, Path]) -> None:
    assert package(wheels["codelocd"]) == package(wheels["codeloc"])


def test_these_are_all_files_of_the_checkout(wheels: dict[str, Path]) -> None:
    source = ROOT / "runner"
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in (source / "codeloc").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert package(wheels["codeloc"]) == files
    assert "codeloc/py.typed" in files


def test_the_wheel_of_codeloc_holds_nothing_else(wheels: dict[str, Path]) -> None:
    tops = {name.partition("/")[0] for name in contents(wheels["codeloc"])}

    assert tops == {"codeloc", f"codeloc-{codeloc.__version__}.dist-info"}


def test_codeloc_has_its_own_version_no_dependencies_and_runs_on_3_8(
    wheels: dict[str, Path],
) -> None:
    told = metadata(wheels["codeloc"])

    assert told["Name"] == "codeloc"
    assert told["Version"] == codeloc.__version__
    assert told["Requires-Python"] == ">=3.8"
    assert told.get_all("Requires-Dist") is None
