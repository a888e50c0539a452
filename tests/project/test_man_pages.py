"""The man pages, as `make man` writes them, and the packages that hold them."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from codelocd.cli.app import SECTIONS
from codelocd.config import json_schema

ROOT = Path(__file__).parents[2]
IGNORED = (".git", ".venv", ".cache", "build", "dist", "__pycache__", ".*_cache", "node_modules")
COMMANDS = [name for names in SECTIONS.values() for name in names]
DATED = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "man"
    write_pages(folder)
    return folder


def write_pages(folder: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / ".ci" / "manual.py", folder],
        env=DATED, check=True, capture_output=True,
    )  # fmt: skip


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def test_every_command_has_a_page(pages: Path) -> None:
    names = {path.stem for path in (pages / "man1").iterdir()}
    assert names == {"codelocd", *(f"codelocd-{name}" for name in COMMANDS)}


def test_every_key_of_the_config_is_on_its_page(pages: Path) -> None:
    page = (pages / "man5" / "codelocd.toml.5").read_text()
    tables = [json_schema(), *json_schema()["$defs"].values()]
    keys = {key for table in tables for key in table.get("properties", {})}
    shown = {key for key in keys if re.search(rf"\\fB{key}|\[{key}[.\]]", page)}
    assert keys - shown == set()


@needs("man")
def test_man_shows_every_page_without_a_warning(pages: Path) -> None:
    for page in sorted(pages.rglob("*.[15]")):
        shown = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", page],
            text=True, capture_output=True, check=True, env={**os.environ, "MANPAGER": "cat"},
        )  # fmt: skip
        assert shown.stderr == ""
        assert "SEE ALSO" in shown.stdout


@needs("mandoc")
def test_mandoc_finds_nothing_to_warn_of(pages: Path) -> None:
    files = sorted(pages.rglob("*.[15]"))
    looked = subprocess.run(
        ["mandoc", "-Tlint", "-W", "warning", *files], text=True, capture_output=True, check=False
    )
    assert looked.stdout == ""


def test_two_builds_of_one_source_are_equal_and_hold_man_pages_and_the_page(tmp_path: Path) -> None:
    built = []
    for name in ("one", "two"):
        source = tmp_path / name
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*IGNORED))
        write_pages(source / "build" / "man")
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", source / "dist", source],
            env=DATED, check=True, capture_output=True,
        )  # fmt: skip
        built.append({each.name: each.read_bytes() for each in (source / "dist").iterdir()})
    assert built[0] == built[1]
    (wheel,) = (tmp_path / "one" / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "one" / "dist").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert any(each.endswith("share/man/man1/codelocd.1") for each in names)
    page = [each for each in (ROOT / "ui" / "codelocd_ui" / "static").rglob("*") if each.is_file()]
    assert {str(each.relative_to(ROOT / "ui")) for each in page} - {*names} == set()
    assert sum("static/vendor" in each and "LICENSE" in each for each in names) >= 5
    with tarfile.open(sdist) as bundle:
        assert any(each.endswith("man5/codelocd.toml.5") for each in bundle.getnames())
