"""Which files a requirements file reaches, and what is said of one that cannot be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem
from codeloc_envs.requirement_files import reached


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


@pytest.mark.skipif(sys.platform != "linux", reason="a file of Linux that nobody can read")
def test_a_file_that_cannot_be_read_says_why() -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read: Input/output error"):
        reached([Path("/proc/self/mem")])


def test_a_folder_instead_of_a_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be read: Is a directory"):
        reached([tmp_path])


def test_text_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"six # \xff\n")
    with pytest.raises(EnvironmentProblem, match=r"a.txt is not UTF-8 text \(byte 6\)"):
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
