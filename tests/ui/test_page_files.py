"""The page's own files: pure modules under Node, what was taken from npm, and nothing unsafe."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from codelocd_ui.static_files import FOLDER, StaticFiles

MODULES = Path(__file__).with_name("modules")


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine")
def test_the_pure_modules_decide_as_they_should() -> None:
    tests = [str(each) for each in MODULES.glob("*.test.mjs")]
    done = subprocess.run(
        ["node", "--test", *tests], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_taken_from_npm_is_what_the_list_says() -> None:
    folder = FOLDER / "vendor"
    listed = json.loads((folder / "vendor.json").read_text())
    files = {name: digest for each in listed.values() for name, digest in each["files"].items()}
    there = {each.name for each in folder.iterdir()} - {"vendor.json"}
    assert set(files) == there
    for name, digest in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert all(
        any(name.endswith("LICENSE.txt") for name in each["files"]) for each in listed.values()
    )


def test_no_module_of_ours_writes_markup_or_evaluates_text() -> None:
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    for module in (FOLDER / "app").glob("*.js"):
        assert not unsafe.search(module.read_text()), module.name


def test_nothing_names_another_host() -> None:
    for file in [FOLDER / "index.html", *FOLDER.glob("*.css"), *FOLDER.glob("app/*.js")]:
        assert not re.search(r"https?://[a-z]", file.read_text()), file.name


def test_the_first_page_brings_what_it_names_and_nothing_of_runs() -> None:
    """A module that it does not name ahead comes a way to and fro later."""
    shell = (FOLDER / "index.html").read_text()
    named = set(re.findall(r'"static/\{version\}/([a-z]+/[a-z]+\.js)"', shell))
    brought = _brought()
    assert named == brought
    assert not brought & {"app/runstates.js", "app/runparts.js", "app/runs.js"}


def test_the_first_page_stays_light() -> None:
    """What `benchmarks/page_in_browser.py` measures as the first visit, without a browser."""
    files = StaticFiles()

    def kib(names: Iterable[str]) -> float:
        got = [files.get(files.version, name) for name in names]
        return sum(len(each.body) for each in got if each is not None) / 1024

    scripts, others = kib(_brought()), kib(["style.css", "vendor/inter.woff2", "icon.svg"])
    assert scripts <= 35.5
    assert scripts + others <= 90.0


def _brought() -> set[str]:
    """The modules that the first page needs."""
    brought, more = set[str](), {"app/main.js", "app/begin.js"}
    while more:
        brought |= more
        more = {each for name in more for each in _imported(name)} - brought
    return brought


def _imported(name: str) -> list[str]:
    """The modules that one cannot begin without."""
    module = FOLDER / name
    found = re.findall(r"^import .* from '(\..*)';", module.read_text(), re.MULTILINE)
    return [(module.parent / each).resolve().relative_to(FOLDER).as_posix() for each in found]
