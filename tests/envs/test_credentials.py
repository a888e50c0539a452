"""What a service is handed over as a secret, and what is refused of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import credentials
from codeloc_envs.credentials import FOLDER, LARGEST, NoCredential

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def read(folder: Path, name: str = "key") -> str:
    return credentials.read(name, {FOLDER: str(folder)})


def refused(folder: Path, name: str = "key") -> str:
    with pytest.raises(NoCredential) as caught:
        read(folder, name)
    return str(caught.value)


def test_a_credential_is_its_text_without_the_end_of_its_last_line(tmp_path: Path) -> None:
    for content, text in (("a b", "a b"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("", "")):
        (tmp_path / "key").write_bytes(content.encode())
        assert read(tmp_path) == text


def test_without_a_folder_and_without_a_file_it_is_said_what_to_do(tmp_path: Path) -> None:
    assert "LoadCredential=key:/PATH" in refused(tmp_path)
    with pytest.raises(NoCredential, match=r"\$CREDENTIALS_DIRECTORY is not set; give it to"):
        credentials.read("key", {})


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../key", "a:b", "ä", ""])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "key").touch()
    assert "is not a name for a credential" in refused(tmp_path, name)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"secret" + b"x" * LARGEST), f"more than {LARGEST} bytes"),
        (lambda path: path.write_bytes(b"secret\0"), "null character"),
        (lambda path: path.write_bytes(b"secret\xff"), "is not UTF-8 text"),
        (os.mkfifo, "is no file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: (path.write_text("secret"), path.chmod(0o666)), "others can write to"),
    ],
)
def test_what_no_variable_can_have_is_refused_and_not_repeated(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "key")
    told = refused(tmp_path)
    assert why in told
    assert "secret" not in told


@as_root
def test_what_another_user_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    os.chown(tmp_path / "key", 65533, 65533)
    assert "belongs to user 65533" in refused(tmp_path)
