"""What a location may be called."""

from __future__ import annotations

import pytest

from codelocd.config.errors import UnfitError
from codelocd.config.location import check_foreign, check_own, dagster_default


@pytest.mark.parametrize("name", ["sales", "A-1_b.c", "9", "x" * 100, "..."])
def test_letters_digits_and_three_signs_are_a_name_in_codelocd_toml(name):
    check_own(name)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 101, ".", "..", "a\n"])
def test_anything_else_is_not(name):
    with pytest.raises(UnfitError):
        check_own(name)


@pytest.mark.parametrize("name", ["a.py:defs", "has space é", "grpc:localhost:42", "x" * 200])
def test_dagsters_names_may_be_of_any_printable_characters(name):
    check_foreign(name)


@pytest.mark.parametrize("name", ["", "a/b", "a\tb", "a\x00", ".", ".."])
def test_but_not_of_slashes_or_control_characters(name):
    with pytest.raises(UnfitError):
        check_foreign(name)


@pytest.mark.parametrize(
    ("attribute", "name"), [(None, "a.py"), ("defs", "a.py:defs"), ("", "a.py")]
)
def test_dagsters_default_name_has_the_attribute_behind_a_colon(attribute, name):
    assert dagster_default("a.py", attribute) == name
