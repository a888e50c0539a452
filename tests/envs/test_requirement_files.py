"""Which files a requirements file reaches, and what is said of one that cannot be read."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem
from codeloc_envs.project.requirement_files import check_for_uv, reached


def names(*files: Path) -> list[str]:
    return [file.path.name for file in reached(files)]


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "-rother.txt",
        "--requirement other.txt",
        "--requirement=other.txt",
        "-c other.txt",
        "--constraint other.txt  # why",
        "  -r \\\n  other.txt",
        "-r sub/../other.txt",
        '-r "other.txt"',
        "-c file://FOLDER/other.txt",
        "-r ${WHICH}.txt",
    ],
)
def test_every_form_of_including_is_followed(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHICH", "other")
    line = line.replace("FOLDER", str(tmp_path))
    (tmp_path / "main.txt").write_text(f"six\n{line}\n")
    (tmp_path / "other.txt").write_text("attrs\n")
    assert names(tmp_path / "main.txt") == ["main.txt", "other.txt"]


@pytest.mark.parametrize("line", ["# -r other.txt", "-r https://example.org/r.txt", "rr-other.txt"])
def test_what_is_no_local_include_is_not_followed(tmp_path: Path, line: str) -> None:
    (tmp_path / "main.txt").write_text(line)
    assert names(tmp_path / "main.txt") == ["main.txt"]


def test_a_file_reached_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r c.txt\n-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r c.txt\n")
    (tmp_path / "c.txt").write_text("six\n")
    assert names(tmp_path / "a.txt") == ["a.txt", "c.txt", "b.txt"]


def test_a_missing_file_is_named_with_the_whole_way_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("six\n\n-r b.txt\n")
    (tmp_path / "b.txt").write_text("attrs \\\n  >=1\n-r c.txt\n")
    with pytest.raises(EnvironmentProblem) as caught:
        reached([tmp_path / "a.txt"])
    assert caught.value.summary == (
        f"requirements file {tmp_path}/c.txt does not exist "
        f"(included by {tmp_path}/b.txt, line 3; included by {tmp_path}/a.txt, line 3); "
        "create it or take the reference away"
    )
    assert set(caught.value.inputs) == {tmp_path / f"{name}.txt" for name in "abc"}


def test_files_that_include_each_other_are_named_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\n")
    with pytest.raises(EnvironmentProblem, match=r"include each other: \S+/a.txt -> \S+/b.txt -> "):
        reached([tmp_path / "a.txt"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("six\n")
    file.chmod(0)
    with pytest.raises(EnvironmentProblem, match="cannot be read: Permission denied"):
        reached([file])


@pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux that no user can read")
def test_a_file_that_cannot_be_read_says_why() -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read: Input/output error"):
        reached([Path("/proc/self/mem")])


def test_a_folder_instead_of_a_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read: Is a directory"):
        reached([tmp_path])


TEXT = "# ä\nsix\n-r other.txt\n"
PIPS = {
    "comment": ("# -*- coding: latin-1 -*-\n" + TEXT).encode("latin-1"),
    "locale": TEXT.encode("latin-1"),
    "utf-32": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "unknown": b"# coding: no-such\n-r other.txt # \xff\n",
}
BOTHS = {
    "utf-8": codecs.BOM_UTF8 + TEXT.encode(),
    "utf-16": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "windows": codecs.BOM_UTF16_LE + TEXT.replace("\n", "\r\n").encode("utf-16-le"),
    "ascii": b"# coding: latin-1\r\nsix\r\n-r other.txt\r\n",
}


@pytest.mark.parametrize("name", [*PIPS, *BOTHS])
def test_a_file_is_read_in_the_coding_that_pip_would_take(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_bytes({**PIPS, **BOTHS}[name])
    (tmp_path / "other.txt").write_text("attrs")
    assert names(tmp_path / "a.txt") == ["a.txt", "other.txt"]


@pytest.mark.parametrize("name", PIPS)
def test_a_coding_that_uv_does_not_know_is_told_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_bytes(PIPS[name])
    (tmp_path / "other.txt").write_text("attrs")
    told = r'a.txt is no UTF-8 text .*; save it as UTF-8, or set installer = "pip"$'
    with pytest.raises(EnvironmentProblem, match=told):
        check_for_uv([tmp_path / "a.txt"])


@pytest.mark.parametrize("name", BOTHS)
def test_a_coding_that_uv_knows_is_left_to_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_bytes(BOTHS[name])
    (tmp_path / "other.txt").write_text("attrs")
    check_for_uv([tmp_path / "a.txt"])


def test_a_comment_does_not_go_on_in_the_next_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("six \\\n # why \\\n-r b.txt\n# C:\\\n-r c.txt\n")
    (tmp_path / "b.txt").write_text("")
    (tmp_path / "c.txt").write_text("")
    assert names(tmp_path / "a.txt") == ["a.txt", "b.txt", "c.txt"]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(EnvironmentProblem, match=r"a.txt cannot be read: no regular file"):
        reached([tmp_path / "a.txt"])


def test_variables_and_local_paths_in_a_file_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("--index-url https://${USER_NAME}:${TOKEN}@example.org/\n./lib\n")
    (only,) = reached([file])
    assert only.variables == ("TOKEN", "USER_NAME")
    assert only.names_local_paths
    for line in ("-e .", "lib @ file:///lib", "--find-links wheels", "/lib"):
        file.write_text(line)
        assert reached([file])[0].names_local_paths, line
    file.write_text("six>=1 ; python_version < '3.12'\n")
    assert not reached([file])[0].names_local_paths
