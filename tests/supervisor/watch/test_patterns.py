"""What globs match, and what never counts."""

import pytest

from codelocd.watch.patterns import Ignored, Tree, is_leftover, is_module, trees


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("*.sql", "/p/a.sql", True),
        ("*.sql", "/p/sub/a.sql", False),
        ("**/*.sql", "/p/a.sql", True),
        ("**/*.sql", "/p/x/y/a.sql", True),
        ("sql/**", "/p/sql/x/a.txt", True),
        ("sql/**", "/p/sqlx/a.txt", False),
        ("sql/", "/p/sql/x/a.txt", True),
        ("sql", "/p/sql/x/a.txt", True),
        ("sql", "/p/sql", True),
        ("sql/a.sql", "/p/sql/a.sql", True),
        ("a/**/b/*.y?ml", "/p/a/x/b/c.yaml", True),
        ("a/**/b/*.y?ml", "/p/a/x/c/c.yaml", False),
        ("[a-c][!x].csv", "/p/bz.csv", True),
        ("[a-c][!x].csv", "/p/bx.csv", False),
        ("[z-a].csv", "/p/[z-a].csv", True),
        ("a+(b).txt", "/p/a+(b).txt", True),
        ("../shared/*.sql", "/shared/a.sql", True),
        ("/etc/x/*.toml", "/etc/x/a.toml", True),
    ],
)
def test_a_glob_is_relative_to_its_base_and_stars_stay_within_a_folder(
    glob: str, path: str, matches: bool
) -> None:
    below = [tree for tree in trees("/p", [glob]) if path.startswith(tree.folder + "/")]
    assert any(tree.matches(path) for tree in below) is matches


@pytest.mark.parametrize(
    ("glob", "folder", "recursive"),
    [
        ("*.sql", "/p", False),
        ("sql/*.sql", "/p/sql", False),
        ("sql/**/*.sql", "/p/sql", True),
        ("../q/**", "/q", True),
    ],
)
def test_a_glob_looks_no_deeper_and_no_wider_than_it_must(
    glob: str, folder: str, recursive: bool
) -> None:
    assert [(tree.folder, tree.recursive) for tree in trees("/p", [glob])] == [(folder, recursive)]


def test_a_glob_without_a_wildcard_may_be_a_file_or_a_folder() -> None:
    file, folder = trees("/p", ["sql/x"])
    assert (file.folder, file.recursive) == ("/p/sql", False)
    assert (folder.folder, folder.recursive) == ("/p/sql/x", True)
    assert isinstance(file, Tree)


@pytest.mark.parametrize(
    ("glob", "path", "ignored"),
    [
        ("scratch/**", "/p/scratch/a.py", True),
        ("scratch", "/p/scratch/deep/a.py", True),
        ("scratch/**", "/p/other/scratch/a.py", False),
        ("**/scratch", "/p/other/scratch/a.py", True),
        ("*.tmp", "/p/a.tmp", True),
        ("*.tmp", "/p/x/a.tmp", False),
        ("../lib/**", "/lib/a.py", True),
    ],
)
def test_what_is_ignored_is_ignored_with_all_below_it(glob: str, path: str, ignored: bool) -> None:
    assert Ignored("/p", [glob]).file(path) is ignored


def test_a_folder_is_left_out_if_everything_in_it_is_ignored() -> None:
    ignored = Ignored("/p", ["scratch/**", "*.tmp"])
    assert ignored.folder("/p/scratch")
    assert not ignored.folder("/p/src")


def test_nothing_is_ignored_without_a_glob() -> None:
    assert not Ignored("/p", []).file("/p/a.py")


@pytest.mark.parametrize(
    "name", [".#a.py", "#a.py#", "a.py~", ".a.py.swp", "4913", "a.py___jb_tmp___", "a.pyc"]
)
def test_what_editors_and_interpreters_leave_behind_never_counts(name: str) -> None:
    assert is_leftover(name)
    assert not is_module(name)


def test_a_module_is_what_an_import_statement_can_reach() -> None:
    assert is_module("orders.py")
    assert not is_module("my-orders.py")
    assert not is_leftover("orders.py")
