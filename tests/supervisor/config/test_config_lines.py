"""On which line of a file a key stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codelocd.config.errors import ConfigError
from codelocd.config.syntax import parse_toml, parse_yaml

TOML = """\
# comment
[a]
x = 1

y = [
  1,
  2,
]
z = { p = 1, q = 2 }
text = '''
[b]
'''
[[list]]
n = 1
[[list]]
n = 2
[c.d]
[c.e]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("a",), 2),
        (("a", "x"), 3),
        (("a", "y"), 5),
        (("a", "y", 1), 5),
        (("a", "z", "q"), 9),
        (("a", "text"), 10),
        (("list", 0, "n"), 14),
        (("list", 1), 15),
        (("list", 1, "n"), 16),
        (("c",), 17),
        (("c", "e"), 18),
        (("a", "missing"), 2),
        (("missing",), None),
        ((), None),
    ],
)
def test_a_key_of_toml_is_found_or_else_the_table_around_it(key, line):
    assert parse_toml(Path("f.toml"), TOML).line_of(key) == line


@given(st.lists(st.sampled_from(["", "# c", "long = [\n1,\n]", "text = '''\n\n'''"]), max_size=8))
def test_the_line_of_a_key_of_toml_is_right_whatever_stands_before_it(before):
    blocks = [f"[t{number}]\n{block}\n" for number, block in enumerate(before)]
    text = "".join(blocks)
    document = parse_toml(Path("f.toml"), f"{text}[here]\nkey = 1\n")
    assert document.line_of(("here", "key")) == text.count("\n") + 2


def test_the_lines_of_thousands_of_keys_are_found_in_one_pass():
    """Looked up one by one, each by parsing, they would take minutes."""
    count = 3000
    text = "".join(f"[location.l{n}]\nwrong = {n}\n" for n in range(count))
    document = parse_toml(Path("f.toml"), text)
    found = [document.line_of(("location", f"l{n}", "wrong")) for n in range(count)]
    assert found == [2 * n + 2 for n in range(count)]


def test_tables_of_arrays_within_arrays_are_found_each_at_its_line():
    text = "[[a]]\n[[a.b]]\nx = 1\n[a.b.c]\n[[a]]\n[[a.b]]\n[[a.b]]\nx = 2\n"
    line_of = parse_toml(Path("f.toml"), text).line_of
    keys = [("a", 0, "b", 0, "x"), ("a", 0, "b", 0, "c"), ("a", 1), ("a", 1, "b", 1, "x")]
    assert [line_of(key) for key in keys] == [3, 4, 5, 8]


YAML = """\
a:
  - x: 1
    y: {z: 2}
  - 3
b: [p,
    q]
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("a",), 1),
        (("a", 0), 2),
        (("a", 0, "y", "z"), 3),
        (("a", 1), 4),
        (("b", 1), 6),
        (("a", 0, "missing"), 2),
        (("a", 7), 1),
        (("a", "x"), 1),
        ((), 1),
    ],
)
def test_a_key_of_yaml_is_found_or_else_what_is_around_it(key, line):
    assert parse_yaml(Path("f.yaml"), YAML).line_of(key) == line


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_toml, "a = " + "[" * 5000 + "]" * 5000),
        (parse_toml, ".".join("a" * 5000) + " = 1"),
        (parse_toml, f"[{'.'.join('a' * 200)}]"),
        (parse_yaml, "[" * 5000),
    ],
)
def test_a_file_that_is_nested_too_deeply_is_refused(parse, text):
    with pytest.raises(ConfigError, match="f: is nested too deeply; flatten it"):
        parse(Path("f"), text)


def test_an_alias_of_itself_is_refused_and_not_followed_for_ever(folder):
    folder.write("w.yaml", "load_from: &a [*a]")
    assert folder.problems("w.yaml") == [
        "w.yaml:1: load_from[0]: must be a table, not a list; write a table"
    ]


def test_a_thousand_million_aliases_cost_nothing(folder):
    laughs = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    folder.write("w.yaml", "\n".join(["a0: &a0 [x]", *laughs, "load_from: []"]))
    assert len(folder.problems("w.yaml")) == 10


def test_a_file_that_is_no_text_is_refused(folder):
    (folder.path / "codelocd.toml").write_bytes(b"\xff\xfe")
    assert folder.problems("codelocd.toml") == [
        "codelocd.toml: is not text in UTF-8; save it as UTF-8"
    ]


def test_a_byte_order_mark_does_no_harm(folder):
    (folder.path / "codelocd.toml").write_bytes(b'\xef\xbb\xbf[location.a]\nmodule = "a"\n')
    assert folder.load("codelocd.toml").locations[0].name == "a"
