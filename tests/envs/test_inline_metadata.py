"""Inline script metadata, as PEP 723 defines it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem, choose
from codeloc_envs.project.script import read_metadata


def script(folder: Path, text: str) -> Path:
    file = folder / "script.py"
    file.write_text(text)
    return file


def test_a_block_is_read_wherever_it_stands(tmp_path: Path) -> None:
    text = (
        '"""Doc."""\n\n# /// script\n# requires-python = ">=3.9"\n#\n# dependencies = []\n# ///\n'
    )
    metadata = read_metadata(script(tmp_path, text + "import os\n"))
    assert metadata is not None
    assert metadata.requires_python == ">=3.9"
    assert metadata.text == 'requires-python = ">=3.9"\n\ndependencies = []'
    assert not metadata.for_uv


def test_uvs_own_settings_are_noticed(tmp_path: Path) -> None:
    text = "# /// script\n# [tool.uv]\n# exclude-newer = 2024-01-01T00:00:00Z\n# ///\n"
    metadata = read_metadata(script(tmp_path, text))
    assert metadata is not None
    assert metadata.for_uv


@pytest.mark.parametrize("text", ["", "# /// other\n# x = 1\n# ///\n", "# /// script\n# x = 1\n"])
def test_without_a_complete_script_block_there_is_none(tmp_path: Path, text: str) -> None:
    assert read_metadata(script(tmp_path, text)) is None


def test_two_blocks_are_an_error(tmp_path: Path) -> None:
    block = "# /// script\n# dependencies = []\n# ///\n"
    with pytest.raises(EnvironmentProblem, match="has 2 blocks of inline script metadata"):
        read_metadata(script(tmp_path, block + "\n" + block))


def test_invalid_toml_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    file = script(tmp_path, "# /// script\n# dependencies = [\n# ///\n")
    with pytest.raises(EnvironmentProblem) as caught:
        read_metadata(file)
    assert caught.value.summary.startswith(
        f"the inline script metadata of {file} is not valid TOML: "
    )
    assert caught.value.inputs == (file,)


BLOCK = "# /// script\n# dependencies = ['six']  # Zürich\n# ///\n"


@pytest.mark.parametrize(
    "data",
    [
        b"# -*- coding: latin-1 -*-\n" + BLOCK.encode("latin-1"),
        b"# coding: cp1252\r\n" + BLOCK.replace("\n", "\r\n").encode("cp1252"),
        BLOCK.encode("utf-8-sig"),
        b"# coding: no-such\n" + BLOCK.encode(),
        b"# coding: rot13\n" + BLOCK.encode(),
        BLOCK.encode() + b"broken = '\xff\0'\n",
    ],
)
def test_a_block_is_found_in_whatever_coding_the_source_has(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s.py").write_bytes(data)
    metadata = read_metadata(tmp_path / "s.py")
    assert metadata is not None
    assert metadata.dependencies == ("six",)


def test_a_look_at_what_cannot_be_read_is_no_refusal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "wide.py").write_bytes("x = 1".encode("utf-16"))
    for name in ("pipe.py", "folder.py", "wide.py", "missing.py"):
        assert read_metadata(tmp_path / name) is None


def test_what_only_might_say_something_of_an_environment_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    (tmp_path / "pyproject.toml").write_bytes(b"name = '\xff'")
    (tmp_path / "above" / "requirements.txt").write_text("six")
    (tmp_path / "above" / ".python-version").write_bytes(b"\xff\xfe3\0")
    (tmp_path / "above" / "pyproject.toml").write_text("[project\n")
    (tmp_path / "above" / "defs.py").write_text("")
    choice = choose(None, code=tmp_path / "above" / "defs.py")
    assert choice.why.startswith(f"the nearest description, {tmp_path}/above/requirements.txt")
