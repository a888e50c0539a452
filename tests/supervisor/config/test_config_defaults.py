"""How `[defaults]` goes under a location."""

from __future__ import annotations

import pytest

from codelocd.config.location import merged


@pytest.mark.parametrize(
    ("defaults", "own", "expected"),
    [
        ({"reload": "manual"}, {}, {"reload": "manual"}),
        ({"reload": "manual"}, {"reload": "on-change"}, {"reload": "on-change"}),
        ({"watch": ["a"]}, {"watch": ["b"]}, {"watch": ["b"]}),
        ({"env": {"A": "1", "B": "1"}}, {"env": {"B": "2"}}, {"env": {"A": "1", "B": "2"}}),
        (
            {"backoff": {"factor": 3}},
            {"backoff": {"jitter": 0}},
            {"backoff": {"factor": 3, "jitter": 0}},
        ),
        ({"python_file": "defs.py"}, {"module": "m"}, {"module": "m"}),
        ({"env": {"A": "1"}}, {"env": "no table"}, {"env": "no table"}),
    ],
)
def test_a_locations_own_keys_win_and_its_tables_join(defaults, own, expected):
    assert merged(defaults, own) == expected


@pytest.mark.parametrize(
    ("defaults", "own", "expected"),
    [
        ({"python": "3.12", "packages": ["a"]}, {}, {"python": "3.12", "packages": ["a"]}),
        (
            {"python": "3.12", "packages": ["a"]},
            {"python": "3.9"},
            {"python": "3.9", "packages": ["a"]},
        ),
        ({"python": "3.12", "packages": ["a"]}, {"lock": "l"}, {"python": "3.12", "lock": "l"}),
        ({"python": "3.12", "packages": ["a"]}, {"path": "p"}, {"path": "p"}),
        ({"path": "p"}, {"python": "3.9"}, {"python": "3.9"}),
        ({"path": "p"}, {"packages": ["a"]}, {"packages": ["a"]}),
    ],
)
def test_a_location_that_says_what_is_in_its_environment_replaces_all_but_the_python(
    defaults, own, expected
):
    table = merged({"environment": defaults}, {"environment": own})
    assert table == {"environment": expected}


def test_defaults_reach_every_location(folder):
    folder.write(
        "codelocd.toml",
        """\
        [defaults]
        start_timeout = 5
        env = { A = "1" }
        [location.a]
        module = "a"
        [location.b]
        module = "b"
        env = { B = "2" }
        """,
    )
    first, second = folder.load("codelocd.toml").locations
    assert first.policy.start_timeout == second.policy.start_timeout == 5
    assert (first.variables, second.variables) == ({"A": "1"}, {"A": "1", "B": "2"})
