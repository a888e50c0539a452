"""Inline script metadata, as PEP 723 defines it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem
from codeloc_envs.inline import read_metadata


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
