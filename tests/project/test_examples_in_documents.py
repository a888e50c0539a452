"""What stands in fenced blocks of the documents is what works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import codeloc
import codelocd

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "tests"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the line it begins at."""

    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text()
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 1) for m in found]


def examples(document: str) -> Iterator[tuple[Block, str | None]]:
    """Each block of Python, and the error that the next block says it ends with."""
    found = blocks(document)
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language == "python":
            fails = following is not None and following.language == "text"
            yield block, following.text.strip() if fails and following else None


DOCUMENTED = [
    pytest.param(block, error, id=f"{document}:{block.line}")
    for document in ("docs/api.md", "runner/README.md")
    for block, error in examples(document)
    if "from sales." not in block.text
]


@pytest.mark.parametrize(("block", "error"), DOCUMENTED)
def test_an_example_of_the_api_does_what_the_page_says(
    tmp_path: Path, block: Block, error: str | None
) -> None:
    file = tmp_path / "example.py"
    file.write_text(block.text)
    done = subprocess.run(
        [sys.executable, file],
        env={"PYTHONPATH": str(ROOT / "runner")},
        text=True,
        capture_output=True,
        check=False,
    )
    if error is None:
        assert done.returncode == 0, done.stderr
        return
    last = done.stderr.strip().splitlines()[-1]
    assert re.search(re.escape(error).replace("…", ".*"), last), last


def test_every_name_of_the_api_is_on_its_page() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    made = [name for name in codeloc.__all__ if name[0].islower() or name.endswith(("Error", "ns"))]
    assert [name for name in made if not re.search(rf"`@?{name}\b", page)] == []


@pytest.mark.parametrize(
    "maker", ["asset", "asset_check", "job", "schedule", "sensor", "resource", "repository"]
)
def test_every_argument_of_the_api_is_on_its_page(maker: str) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    with pytest.raises(codeloc.ArgumentError) as refused:
        _with_an_unknown_argument(getattr(codeloc, maker))
    takes = str(refused.value).rpartition("it takes, by name: ")[2].split(", ")
    assert takes
    assert [name for name in takes if f"`{name}`" not in page] == []


def _with_an_unknown_argument(maker: Callable[..., Any]) -> None:
    def function() -> None: ...

    maker(no_such_argument=1)(function)


# --- the README ------------------------------------------------------------------------------


def readme(*contained: str) -> str:
    """The one block of the README that has all of this in it."""
    (found,) = [b.text for b in blocks("README.md") if all(each in b.text for each in contained)]
    return found


def in_shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run lines as a person types them, who stops at the first that fails."""
    folder.mkdir(exist_ok=True)
    runtime = folder.parent / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    ours = {"PATH": path, "XDG_RUNTIME_DIR": str(runtime), "XDG_DATA_HOME": str(CACHE)}
    hidden = ("VIRTUAL_ENV", "CONDA_PREFIX", "CODELOCD_SOCKET")
    environ = {name: text for name, text in os.environ.items() if name not in hidden}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**environ, **ours, **variables},
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_sample_of_the_readme_loads(tmp_path: Path) -> None:
    (tmp_path / "defs.py").write_text(readme("defs = Definitions("))
    done = in_shell("codelocd check -f defs.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "defs: 2 assets, 1 job, 1 schedule" in done.stdout


def test_the_first_lines_of_the_readme_make_a_project_that_runs(tmp_path: Path) -> None:
    *lines, last = readme("codelocd init my-project\n").splitlines()
    assert last == "codelocd dev"
    stopping = "codelocd dev & while ! codelocd status; do sleep 0.1; done; codelocd shutdown; wait"
    done = in_shell("\n".join([*lines, stopping]), tmp_path / "work")
    assert done.returncode == 0, done.stderr
    assert "my-project: 2 assets" in done.stdout


def shop(folder: Path) -> Path:
    """What the configuration of the README speaks of."""
    files = {
        "codelocd.toml": readme("[location.ingest]"),
        "ingest.py": readme("defs = Definitions("),
        "sales/pyproject.toml": '[project]\nname = "sales"\nversion = "1"\ndependencies = []\n',
        "sales/sales/__init__.py": "",
        "sales/sales/definitions.py": readme("defs = Definitions(").replace("orders", "sales"),
        "models/__init__.py": "",
        "models/definitions.py": "import codeloc\nimport dateutil\ndefs = codeloc.Definitions()\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    done = in_shell("codelocd config validate", shop(tmp_path / "shop"), SALES_DB_URL="sqlite://")
    assert (done.returncode, done.stderr) == (0, "")
    assert "valid, 3 locations" in done.stdout


@pytest.mark.slow
def test_the_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    done = in_shell("codelocd check", shop(tmp_path / "shop"), SALES_DB_URL="sqlite://")
    if "environment: " in done.stdout:
        pytest.skip(f"no package index in reach: {done.stdout}")
    assert "3 locations checked, 0 failed, 0 conflicts" in done.stdout


# --- how it is installed ---------------------------------------------------------------------


def install_lines() -> list[str]:
    """Each line of a document for people that installs codelocd."""
    named = r"(?:pipx|pip|uv tool) install\b(?! --upgrade).*"
    return [
        line.split("#")[0].strip()
        for document in ("README.md", "systemd/README.md", "docs/api.md")
        for block in blocks(document)
        if block.language == "sh"
        for line in block.text.splitlines()
        if re.search(named, line)
    ]


def test_what_is_not_published_is_installed_from_a_folder() -> None:
    assert install_lines()
    assert [
        line for line in install_lines() if not re.search(r"install (\.|\./\w+)( |$)", line)
    ] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Without what this one has made: a tree of a package there has links that lead nowhere yet."""
    made = (".venv", ".cache", ".*_cache", "__pycache__", "build", "dist")
    left_out = shutil.ignore_patterns(*made, ".git", "tests")
    return Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out))


def test_a_checkout_can_be_installed_and_needs_no_network_for_itself(
    checkout: Path, tmp_path: Path
) -> None:
    """What it depends on is taken from the environment of the tests."""
    target = tmp_path / "target"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*pip, "--quiet", "--target", target, "."], cwd=checkout, check=True)
    done = subprocess.run(
        [target / "bin" / "codelocd", "--version"],
        env={"PYTHONPATH": str(target)},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == f"codelocd {codelocd.__version__}\n"


@pytest.mark.slow
@pytest.mark.parametrize("line", [each for each in install_lines() if "sudo" not in each])
def test_a_line_that_installs_codelocd_does(checkout: Path, tmp_path: Path, line: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (program,) = re.findall(r"(pipx|uv|python3) ", line)
    if shutil.which(program) is None and not Path(sys.executable).with_name(program).exists():
        pytest.skip(f"{program} is not installed")
    done = in_shell(line, checkout, HOME=str(home), XDG_DATA_HOME=str(home / "share"))
    if "No matching distribution" in done.stderr or "Failed to fetch" in done.stderr:
        pytest.skip(f"no package index in reach: {done.stderr}")
    assert done.returncode == 0, done.stderr
    installed = next(home.rglob("bin/codelocd"))
    version = subprocess.run([installed, "--version"], text=True, capture_output=True, check=True)
    assert version.stdout == f"codelocd {codelocd.__version__}\n"
