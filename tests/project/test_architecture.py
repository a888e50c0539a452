"""The rules of tests/architecture.py, each broken in a small tree."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import architecture

ROOT = Path(__file__).parents[2]


def said(root: Path) -> list[str]:
    return [f"{each.file}:{each.line}: {each.what}" for each in _faults(root)]


def _faults(root: Path) -> list[architecture.Fault]:
    return architecture.faults(architecture.modules(root))


def tree(root: Path, **files: str) -> Path:
    """`a__b="…"` is the file supervisor/product/a/b.py."""
    for name, text in files.items():
        file = root / "supervisor" / "product" / f"{name.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_a_tree_that_keeps_all_rules_has_no_fault(tmp_path: Path) -> None:
    one = "from product import two\n\n\nclass One:\n    pass\n"
    assert said(tree(tmp_path, one=one, two="class Two:\n    pass\n")) == []


@pytest.mark.parametrize(
    "later",
    [
        "from product import one",
        "from product.one import ONE",
        "import product.one",
        "from . import one",
        "from .one import ONE",
        "def later():\n    from product import one",
        "if 1:\n    from product import one",
    ],
)
def test_modules_that_import_each_other_are_named(tmp_path: Path, later: str) -> None:
    tree(tmp_path, one="from product import two\nONE = 1\n", two=f"{later}\n")
    assert said(tmp_path) == [
        "supervisor/product/one.py:1: modules import each other: product.one, product.two"
    ]


def test_a_circle_through_a_third_module_is_one_fault(tmp_path: Path) -> None:
    tree(tmp_path, a="from product import b", b="from product import c", c="from . import a")
    assert said(tmp_path) == [
        "supervisor/product/a.py:1: modules import each other: product.a, product.b, product.c"
    ]


def test_an_import_that_only_a_type_checker_reads_makes_no_circle(tmp_path: Path) -> None:
    checked = "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from product import one\n"
    assert said(tree(tmp_path, one="from product import two", two=checked)) == []


def test_what_is_too_long_is_told_with_its_limit(tmp_path: Path) -> None:
    function = "def long():\n" + "    x = 1\n" * 45
    method = "class Wide:\n" + "    x = 1\n" * 250
    tree(tmp_path, function=function, method=method, file="x = 1\n" * 351)
    assert said(tmp_path) == [
        "supervisor/product/file.py:1: 351 lines, at most 350 in a file",
        "supervisor/product/function.py:1: long: 46 lines, at most 45 in a function",
        "supervisor/product/method.py:1: Wide: 251 lines, at most 250 in a class",
    ]


def test_what_is_just_short_enough_is_no_fault(tmp_path: Path) -> None:
    function = "@decorated\ndef long():\n" + "    x = 1\n" * 44
    assert said(tree(tmp_path, function=function, file="x = 1\n" * 350)) == []


def test_a_class_name_with_two_meanings_is_told_once_for_each_further(tmp_path: Path) -> None:
    tree(tmp_path, a="class Same:\n    pass\n", b="\nclass Same:\n    pass\n\nclass Own: ...\n")
    tree(tmp_path, c="class _Same: ...\n")
    defined = "supervisor/product/a.py defines a class Same already"
    assert said(tmp_path) == [
        f"supervisor/product/b.py:2: {defined}",
        f"supervisor/product/c.py:1: {defined}",
    ]


def test_a_module_named_in_words_of_the_past_is_told(tmp_path: Path) -> None:
    (fault,) = said(tree(tmp_path, house_rules="x = 1\n"))
    where = "supervisor/product/house_rules.py:1"
    assert fault == f"{where}: a module named house_rules: 'house' is not a word of the field"


def test_the_program_tells_faults_and_figures_and_exits_with_1(tmp_path: Path) -> None:
    tree(tmp_path, one="from product import two\n", two="x = 1\n" * 351)
    done = _run(str(tmp_path))
    assert done.stdout.splitlines() == [
        "supervisor/product/two.py:1: 351 lines, at most 350 in a file",
        "2 files, 352 lines, 176 in the median file",
        "1 files have exactly one importer",
    ]
    assert done.returncode == 1


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.architecture", *arguments],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
