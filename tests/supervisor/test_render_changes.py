"""What became another in a definition, in a few words."""

from __future__ import annotations

from typing import Any

import pytest

from codelocd.render.definitions import changes


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cron": ["0 6 * * *", "0 7 * * *"]}, 'cron "0 6 * * *" → "0 7 * * *"'),
        ({"timezone": [None, "Europe/Berlin"]}, 'timezone none → "Europe/Berlin"'),
        ({"minimum_interval": [30, 60]}, "minimum interval 30 → 60"),
        ({"deps": [[["a"], ["m", "b"]], [["a"], ["c"]]]}, "deps + c - m/b"),
        ({"deps": [[["a"], ["b"]], [["b"], ["a"]]]}, "deps in another order"),
        ({"kinds": [None, ["csv"]]}, "kinds + csv"),
        ({"tags": [{"team": "x", "old": "1"}, {"team": "y", "new": "2"}]},
         'tags team "x" → "y", tags + new, tags - old'),
        ({"description": ["a" * 60, "b" * 60]}, "description changed"),
        ({"metadata": [{"rows": 1}, {"rows": 2}]}, "metadata rows 1 → 2"),
        ({"cron": ["\x1b[2J", "x"]}, 'cron "\\u001b[2J" → "x"'),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_change_names_the_field_and_both_values(fields: dict[str, Any], text: str) -> None:
    assert changes(fields) == text


def test_many_changes_are_counted() -> None:
    fields = {f"f{n}": [1, 2] for n in range(5)}
    assert changes(fields) == "f0 1 → 2, f1 1 → 2, f2 1 → 2 and 2 more"
