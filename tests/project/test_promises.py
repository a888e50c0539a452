"""The index of promises in docs/reliability.md: every number once, with a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROMISES = 28
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| `(test_promise_(\d+)_\w+)` \|", re.MULTILINE)
TEST = re.compile(r"^(?:async )?def (test_promise_(\d+)_\w+)\(", re.MULTILINE)


def named() -> dict[str, int]:
    """The number of each test that is named after a promise, by its name."""
    texts = (file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    return {name: int(number) for text in texts for name, number in TEST.findall(text)}


def test_every_promise_has_a_test_that_is_named_after_it() -> None:
    assert set(named().values()) == set(range(1, PROMISES + 1))


def test_the_index_names_every_promise_once_and_a_test_of_it_that_is_there() -> None:
    rows = ROW.findall((ROOT / "docs" / "reliability.md").read_text())
    assert [int(number) for number, _, _ in rows] == list(range(1, PROMISES + 1))
    assert all(number == of_test for number, _, of_test in rows)
    assert {test for _, test, _ in rows} <= named().keys()
