"""`codelocd env` on a store of its own, without a daemon."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.supervisor.cli.fake_control import Shell

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
Build = Callable[..., str]


@pytest.fixture
def build(shell: Shell, monkeypatch: pytest.MonkeyPatch, asked_pythons: Path) -> Build:
    """Builds what a requirements file with that text asks for; gives the path that is printed."""
    cache = shell.folder.parent / ".local/share/codelocd/cache"
    cache.mkdir(parents=True)
    shutil.copy(asked_pythons, cache)
    wheels = shell.folder / "wheels"
    wheels.mkdir()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "file:///nonexistent")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))

    def run(text: str, *options: str, available: tuple[str, ...] = ()) -> str:
        for name in available:
            wheel(wheels, *name.split("=="))
        (shell.folder / "needs.txt").write_text(text)
        done = shell.run(
            "env", "build", "-r", "needs.txt", "--python", VERSION, "--print-path", *options
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def wheel(folder: Path, name: str, version: str) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_requirements_are_built_without_a_config_and_only_the_path_is_printed(
    shell: Shell, build: Build
) -> None:
    path = build("alpha\n", available=("alpha==1.0",))
    assert "\n" not in path
    assert (Path(path) / "bin/python").exists()
    assert list(Path(path).glob("lib/*/site-packages/alpha.py"))
    assert build("alpha\n") == path


def test_a_refresh_looks_for_newer_versions(build: Build) -> None:
    path = build("alpha\n", available=("alpha==1.0",))
    assert build("alpha\n", available=("alpha==2.0",)) == path
    newer = build("alpha\n", "--refresh")
    assert newer != path
    assert list(Path(newer).glob("lib/*/site-packages/alpha-2.0.dist-info"))


def test_a_list_and_a_page_tell_size_reason_and_packages(shell: Shell, build: Build) -> None:
    path = build("alpha\n", available=("alpha==1.0",))
    (listed,) = json.loads(shell.run("env", "list", "--json").stdout)
    assert (listed["path"], listed["packages"]) == (path, ["alpha==1.0"])
    assert listed["why"] == [f"{shell.folder}/needs.txt"]
    page = shell.run("env", "show", listed["key"][:8]).stdout
    assert f"Because: {shell.folder}/needs.txt" in page
    assert "of it its own" in page
    assert "alpha==1.0" in page
    assert "OWN" in shell.run("env", "list").stdout


def test_two_environments_are_compared(shell: Shell, build: Build) -> None:
    build("alpha\nbeta\n", available=("alpha==1.0", "beta==1.0"))
    build("alpha==2.0\ngamma\n", available=("alpha==2.0", "gamma==3.0"))
    listed = json.loads(shell.run("env", "list", "--json").stdout)
    keys = {len(each["packages"]) and each["packages"][0]: each["key"] for each in listed}
    one, other = keys["alpha==1.0"], keys["alpha==2.0"]
    assert shell.run("env", "diff", one, other).stdout == (
        "~ alpha 1.0 -> 2.0\n- beta==1.0\n+ gamma==3.0\n"
    )
    assert json.loads(shell.run("env", "diff", one, one, "--json").stdout)["changed"] == []
    assert shell.run("env", "diff", one, one).stdout == ""
    assert shell.run("env", "diff", one, "nothing").returncode == 4
    mistyped = f"{one[:7]}{'0' if one[7] != '0' else '1'}{one[8:12]}"
    done = shell.run("env", "diff", one, mistyped)
    assert f'did you mean "{one[:12]}' in done.stderr
    assert "did you mean" in shell.run("env", "show", mistyped).stderr


def test_above_a_size_the_longest_unused_go(shell: Shell, build: Build) -> None:
    first = build("alpha\n", available=("alpha==1.0",))
    second = build("beta\n", available=("beta==1.0",))
    own = [each["size"] - each["shared"] for each in listed(shell)]
    would = shell.run("env", "prune", "--size", f"{max(own)}B", "--dry-run")
    table, summary = would.stdout.splitlines()[1:3], would.stdout.splitlines()[-1]
    assert first in table[0]
    assert "above the size, and unused the longest" in table[0]
    assert summary.startswith("1 environment would be removed, ")
    document = json.loads(shell.run("env", "prune", "--idle", "0", "--dry-run", "--json").stdout)
    assert document["dry_run"]
    assert document["others"] == []
    assert {each["path"] for each in document["environments"]} == {first, second}
    assert (Path(first).exists(), Path(second).exists()) == (True, True)
    done = shell.run("env", "prune", "--size", f"{max(own)}B")
    assert first in done.stdout.splitlines()[1]
    assert done.stdout.splitlines()[-1].startswith("1 environment removed, ")
    assert (Path(first).exists(), Path(second).exists()) == (False, True)
    assert shell.run("env", "prune", "--size", "much").returncode == 2


def test_kits_and_bytecode_are_listed_before_they_go(shell: Shell, build: Build) -> None:
    root = Path(build("alpha\n", available=("alpha==1.0",))).parents[1]
    old = [root / "bundle" / "of-another-release", root / "bytecode" / "of-a-venv"]
    for folder in old:
        folder.mkdir(parents=True)
        os.utime(folder, (1, 1))
    told = shell.run("env", "prune", "--dry-run").stdout.splitlines()
    assert told[0].startswith(f"bundle {old[0]}, last used ")
    assert told[1].startswith(f"bytecode {old[1]}, last used ")
    document = json.loads(shell.run("env", "prune", "--dry-run", "--json").stdout)
    assert [each["path"] for each in document["others"]] == [*map(str, old)]
    assert all(map(Path.exists, old))
    assert shell.run("env", "prune").stdout.splitlines()[:2] == told[:2]
    assert not any(map(Path.exists, old))


def listed(shell: Shell) -> list[dict[str, int]]:
    found: list[dict[str, int]] = json.loads(shell.run("env", "list", "--json").stdout)
    return found


def test_a_failure_is_one_line_with_the_installers_words_before_it(
    shell: Shell, build: Build
) -> None:
    (shell.folder / "needs.txt").write_text("nope\n")
    done = shell.run("env", "build", "-r", "needs.txt", "--python", VERSION)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "codelocd: needs.txt: no such package: nope; check its name, or the index"
    )
    assert "nope was not found" in done.stderr


def test_requirements_are_for_no_location(shell: Shell) -> None:
    done = shell.run("env", "build", "sales", "-r", "needs.txt")
    assert (done.returncode, done.stderr) == (
        2,
        "codelocd: -r is for no location; leave one of the two out\n",
    )
