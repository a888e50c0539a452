"""Env files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codelocd.config.dotenv import parse
from codelocd.config.mistakes import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("export A=1\n  B = 2 \n", {"A": "1", "B": "2"}),
        ("# comment\n\n   # more\nA=1 # behind", {"A": "1"}),
        ("A=a#b\nB=", {"A": "a#b", "B": ""}),
        ("A=# comment", {"A": "# comment"}),
        ("A= # comment\nB=2", {"A": "", "B": "2"}),
        ("A=one two", {"A": "one two"}),
        ("A='# $HOME ${HOME} \\n'", {"A": "# $HOME ${HOME} \\n"}),
        ('A="a\\tb\\n\\"c\\" \\\\ \\$x \\q"', {"A": 'a\tb\n"c" \\ $x \\q'}),
        (
            'KEY="-----BEGIN\nxyz\n-----END" # key\nB=2',
            {"KEY": "-----BEGIN\nxyz\n-----END", "B": "2"},
        ),
        ("A=1\nB=${A}${HOME}", {"A": "1", "B": "1/home"}),
        ('A="${HOME}/x\\${HOME}"', {"A": "/home/x${HOME}"}),
        ("A=${NONE:-else}\nB=${NONE:-}\nC=${HOME:-else}", {"A": "else", "B": "", "C": "/home"}),
        ("A=pa$$word$x", {"A": "pa$$word$x"}),
        ("A=1\nA=2", {"A": "2"}),
        ('A=it\'s\nB=say "x"', {"A": "it's", "B": 'say "x"'}),
    ],
)
def test_what_people_write_in_env_files_is_understood(text, expected):
    assert parse("f", text, {"HOME": "/home"}) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A=1\nnonsense", 'f:2: is no assignment; write NAME=value or NAME="value"'),
        ("1A=x", 'f:1: is no assignment; write NAME=value or NAME="value"'),
        ('A="open', 'f:1: is no assignment; write NAME=value or NAME="value"'),
        ("A='x' y", 'f:1: is no assignment; write NAME=value or NAME="value"'),
        ("\nA=${NONE}", "f:2: A: refers to NONE, which is not set; set NONE, or write ${NONE:-}"),
    ],
)
def test_every_other_line_is_a_mistake(text, problem):
    with pytest.raises(ConfigError) as caught:
        parse("f", text, {})
    assert str(caught.value) == problem


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        parse("f", "x\nA=1\ny\n", {})
    assert [problem.line for problem in caught.value.problems] == [1, 3]
    assert len(caught.value.problems) == 2


@given(st.text(st.characters(exclude_characters="'\x00", exclude_categories=["Cs"])))
def test_any_text_in_single_quotes_stands_for_itself(value):
    assert parse("f", f"A='{value}'\nB=2", {}) == {"A": value, "B": "2"}


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_text_can_be_written_in_double_quotes(value):
    written = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse("f", f'A="{written}"', {}) == {"A": value}


@given(st.text(alphabet="AB=' \"\\${}#\n\r", max_size=60))
def test_no_text_makes_the_parser_fail_otherwise(text):
    try:
        found = parse("f", text, {})
    except ConfigError as error:
        found = error.problems
    assert isinstance(found, dict) or len(found) > 0
