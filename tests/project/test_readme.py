"""What the documents for people say exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODELOCD = Path(sys.executable).with_name("codelocd")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "systemd" / "README.md",
    ROOT / "runner" / "README.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
]
TEXT = "\n".join(document.read_text() for document in DOCUMENTS)


def shown_in_code() -> str:
    """What stands in code blocks and code spans: there `codelocd` is always the command."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", TEXT, flags=re.DOTALL))


def commands() -> list[str]:
    found = re.findall(r"\bcodelocd (?:--(?:user|system) )?([a-z]{3,})\b", shown_in_code())
    return sorted(set(found))


def targets() -> list[str]:
    return sorted(set(re.findall(r"\bmake ([a-z-]+)", shown_in_code())))


@pytest.mark.parametrize("command", commands())
def test_every_command_that_is_shown_exists(command: str) -> None:
    asked = subprocess.run(
        [CODELOCD, command, "--help"], text=True, capture_output=True, check=False
    )
    assert asked.returncode == 0, asked.stderr


def test_every_make_target_that_is_shown_exists() -> None:
    defined = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(targets()) <= set(defined)


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT))
)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("name", "maker"), [("cli.md", "page"), ("codelocd.schema.json", "schema")]
)
def test_what_is_made_from_the_code_is_what_it_says(name: str, maker: str) -> None:
    made = subprocess.run(
        [sys.executable, "-c", f"import cli_reference; print(cli_reference.{maker}(), end='')"],
        cwd=ROOT / ".ci",
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    how = f"docs/{name} is not what the code says: run `make docs`, or python .ci/cli_reference.py"
    assert (ROOT / "docs" / name).read_text() == made, how


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    found = (ROOT / "docs").rglob("*.md")
    pages = {str(page.relative_to(ROOT / "docs")) for page in found} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def test_every_package_is_in_the_picture() -> None:
    picture = (ROOT / "docs" / "design.md").read_text()
    parts = (ROOT / "supervisor" / "codelocd").iterdir()
    names = {f"{part.name}/" if part.is_dir() else part.stem for part in parts}
    names -= {"__pycache__/", "__init__", "py.typed", "py"}
    assert {name for name in names if f"`{name}`" not in picture} == set()
