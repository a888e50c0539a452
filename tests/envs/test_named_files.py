"""What settings of uv and pip name decides by its content, and is watched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import Choice, Environment, Request, choose
from codeloc_envs.inputs import gather
from codeloc_envs.request import Installation, InstallerName

Build = Callable[..., Environment]


@pytest.fixture
def pins(workplace: Path, wheels: Path) -> Path:
    """A file of constraints; `wheels` takes away what this machine is configured with."""
    (workplace / "requirements.txt").write_text("alpha\n")
    file = workplace / "pins.txt"
    file.write_text("alpha==1.0\n")
    return file


def chosen(workplace: Path, installer: InstallerName = "uv") -> Choice:
    request = Request(installation=Installation(installer=installer))
    return choose(request, code=workplace)


def content(workplace: Path, installer: InstallerName = "uv") -> object:
    return gather(chosen(workplace, installer).specification, {})


@pytest.mark.parametrize(
    "name", ["UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE"]
)
@pytest.mark.parametrize("written", ["pins.txt", "other.txt ./pins.txt", "file://{}/pins.txt"])
def test_a_file_that_a_variable_of_uv_names_counts_by_its_content(
    pins: Path, name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, written.format(pins.parent))
    before = content(pins.parent)
    assert content(pins.parent) == before
    pins.write_text("alpha==2.0\n")
    assert content(pins.parent) != before
    assert pins in chosen(pins.parent).looked_at


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("PIP_CONSTRAINT", "pins.txt"),
        ("PIP_BUILD_CONSTRAINT", "pins.txt"),
        ("PIP_REQUIREMENT", "pins.txt"),
        ("PIP_CONFIG_FILE", "[global]\nconstraint =\n  none.txt\n  {}\n"),
        ("PIP_CONFIG_FILE", "[install]\nrequirement = file://{}\n"),
    ],
)
def test_a_file_that_pip_is_configured_with_counts_where_pip_installs(
    pins: Path, name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "PIP_CONFIG_FILE":
        file = pins.with_name("pip.conf")
        file.write_text(written.format(pins))
        written = str(file)
        monkeypatch.setenv(name, written)
        assert file in chosen(pins.parent, "pip").looked_at
    monkeypatch.setenv(name, written)
    before, of_uv = content(pins.parent, "pip"), content(pins.parent)
    pins.write_text("alpha==2.0\n")
    assert content(pins.parent, "pip") != before
    assert content(pins.parent) == of_uv, "uv reads none of it"
    assert pins in chosen(pins.parent, "pip").looked_at


def test_what_a_named_file_includes_counts_too_and_one_that_is_missing_may_come(
    pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CONSTRAINT", "pins.txt")
    pins.write_text("-c more.txt\n")
    more = pins.with_name("more.txt")
    before = content(pins.parent)
    assert more in chosen(pins.parent).looked_at
    more.write_text("alpha==1.0\n")
    assert content(pins.parent) != before


def test_settings_that_a_variable_names_count_by_their_content(
    pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pins.with_name("mine.toml")
    monkeypatch.setenv("UV_CONFIG_FILE", "mine.toml")
    before = content(pins.parent)
    file.write_text('constraint-dependencies = ["alpha==1.0"]\n')
    after = content(pins.parent)
    file.write_text('constraint-dependencies = ["alpha==2.0"]\n')
    assert len({str(before), str(after), str(content(pins.parent))}) == 3
    assert file in chosen(pins.parent).looked_at


def test_the_environment_of_other_constraints_is_another(
    pins: Path, wheel: Callable[..., Path], build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("alpha", "1.0")
    wheel("alpha", "2.0")
    monkeypatch.setenv("UV_CONSTRAINT", os.path.relpath(pins, pins.parent))
    first = build()
    pins.write_text("alpha==2.0\n")
    second = build()
    folders = [each.path for each in (first, second) if each.path is not None]
    assert [len(list(e.glob("lib/*/site-packages/alpha-1.0*"))) for e in folders] == [
        1,
        0,
    ]
