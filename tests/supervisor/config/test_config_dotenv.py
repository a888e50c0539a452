"""Env files."""

from __future__ import annotations

import io
import tracemalloc

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codelocd.config.env_files import parse
from codelocd.config.errors import ConfigError


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
        ("A=1\nA\nB=2", {"B": "2"}),
        ("A=pa\"#55\nB=it's'#5 # why", {"A": 'pa"#55', "B": "it's'#5"}),
        ("A='x'#why\nB=\"y\"# why", {"A": "x", "B": "y"}),
        ("A=pa${ss", {"A": "pa${ss"}),
        ('A=it\'s\nB=say "x"', {"A": "it's", "B": 'say "x"'}),
    ],
)
def test_what_people_write_in_env_files_is_understood(text, expected):
    assert parse("f", text, {"HOME": "/home"}) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A=1\ntwo words", 'f:2: is no assignment; write NAME=value or NAME="value"'),
        ("=x", 'f:1: is no assignment; write NAME=value or NAME="value"'),
        ('A="open', 'f:1: is no assignment; write NAME=value or NAME="value"'),
        ("A='x' y", 'f:1: is no assignment; write NAME=value or NAME="value"'),
        ("A= 'open", 'f:1: is no assignment; write NAME=value or NAME="value"'),
        (
            "A=1\nB=${A ${A}",
            "f:2: B: has a ${ that no } ends; write ${NAME}, or single quotes around the value",
        ),
        ("\nA=${NONE}", "f:2: A: refers to NONE, which is not set; set NONE, or write ${NONE:-}"),
    ],
)
def test_every_other_line_is_a_mistake(text, problem):
    with pytest.raises(ConfigError) as caught:
        parse("f", text, {})
    assert str(caught.value) == problem


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        parse("f", "x x\nA=1\ny y\n", {})
    assert [problem.line for problem in caught.value.problems] == [1, 3]
    assert len(caught.value.problems) == 2


@given(st.text(st.characters(exclude_characters="'\\\x00", exclude_categories=["Cs"])))
def test_any_text_in_single_quotes_stands_for_itself(value):
    assert parse("f", f"A='{value}'\nB=2", {}) == {"A": value, "B": "2"}


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_text_can_be_written_in_double_quotes(value):
    written = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    assert parse("f", f'A="{written}"', {}) == {"A": value}


@given(st.text(alphabet="AB=' \"\\${}#\n\r", max_size=60))
def test_no_text_makes_the_parser_fail_otherwise(text):
    found: object
    try:
        found = parse("f", text, {})
    except ConfigError as error:
        found = error.problems
    assert isinstance(found, dict) or (isinstance(found, tuple) and len(found) > 0)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${NONE-b}", "b"),
        ("${EMPTY-b}", ""),
        ("${EMPTY:-b}", "b"),
        ("${SET:+b}", "b"),
        ("${EMPTY:+b}", ""),
        ("${EMPTY+b}", "b"),
        ("${NONE+b}", ""),
        ("${NONE:-${SET}}", "s"),
        ("${NONE:-${NONE-${EMPTY:-deep}}}x", "deepx"),
        ("${SET:-${NONE}}", "s"),
        ("${NONE:-a b}", "a b"),
        ("${a.b}${a-b}", "12"),
        ("${", "${"),
    ],
)
def test_references_mean_what_they_mean_in_a_shell(written, value):
    known = {"EMPTY": "", "SET": "s", "a.b": "1", "a-b": "2"}
    assert parse("f", f"A={written}", known) == {"A": value}
    assert parse("f", f'A="{written}"', known) == {"A": value}


@pytest.mark.parametrize("written", ["${SET#x}", "${SET:?no}", "${SET/a/b}", "${}", "${SET:0:1}"])
def test_what_is_no_reference_is_refused_by_line(written):
    with pytest.raises(ConfigError) as caught:
        parse("f", f"B=1\nA={written}", {"SET": "s"})
    assert str(caught.value).startswith(f"f:2: A: has {written}, which is no reference; write ")


def test_a_value_that_no_process_can_have_is_refused_by_line():
    doubling = "\n".join(["A0=xxxxxxxxxx", *(f"A{n + 1}=${{A{n}}}${{A{n}}}" for n in range(30))])
    for text, what in (
        (doubling, "f:15: A14: is longer than a process can have (131072 bytes)"),
        ("A=a\0b", "f:1: A: holds a NUL, which no variable can"),
        ("A=" + "x" * 131070, "f:1: A: is longer than a process can have"),
        ("A=" + "${N:-" * 100 + "}" * 100, "f:1: A: has defaults within defaults too deeply"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse("f", text, {})
        assert str(caught.value).startswith(what)
    assert len(parse("f", "A=" + "x" * 131069, {})["A"]) == 131069


SAME = [
    *("A", "A\nB=1", "export A", "export A=1", "A.B=1", "a-b=1", "1A=1", "A:B=1", "'my key'=1"),
    *("A=", "A= ", "A=''", 'A=""', "A= # c", "A=#c", "A=a#b", "A=a #b #c", "A='a' # c", 'A="a"#c'),
    *("A=1\r\nB=2\r\n", "A=1\rB=2", "A = 1", "\tA=1", "A=a b  ", "A==b", "A=b=c", "A=it's"),
    *(r"A='it\'s'", r"A='a\\b'", r"A='a\nb'", r'A="a\nb"', r'A="\a\b\f\v\t\r"', r'A="\q"'),
    *(r"A=a\nb", "A='a\nb'\nB=1", 'A="a\nb"\nB=1', "A=1\nA=2", "A=1\nB=${A}", "B=${HOME}x"),
    *(
        "B=${NONE:-c}",
        r"B=C:\${HOME}",
        "B=${NONE:-}",
        "A=$HOME",
        "A=pa$$x",
        "# c\nA=1",
        "export\tA=1",
        "A\u00e9=1",
    ),
]


@pytest.mark.parametrize("text", SAME)
def test_what_python_dotenv_reads_is_read_alike(text):
    """Dagster drops names without a value (`get_env_var_dict` of its env_file.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", "/home")
        read = dotenv.dotenv_values(stream=io.StringIO(text, newline=""))
    theirs = {name: value for name, value in read.items() if value is not None}
    assert parse("f", text, {"HOME": "/home"}) == theirs


def test_values_that_grow_by_reference_are_refused_before_they_fill_the_memory():
    """150 kB that would be 500 MB."""
    text = f"A={'x' * 100_000}\n" + "".join(f"B{n}=${{A}}\n" for n in range(5000))
    tracemalloc.start()
    with pytest.raises(ConfigError, match="more variables than a process can have"):
        parse("file", text, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30 * 2**20
