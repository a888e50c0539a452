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


BACKOFF = """\
    [defaults.backoff]
    initial = "{initial}"
    maximum = "60s"
    [location.a]
    module = "a"
    [location.a.backoff]
    maximum = "{maximum}"
    """


def test_a_rule_about_two_keys_is_broken_also_where_one_of_them_is_a_default(folder):
    folder.write("codelocd.toml", BACKOFF.format(initial="30s", maximum="10s"))
    (problem,) = folder.problems("codelocd.toml")
    assert problem == (
        "codelocd.toml:6: location.a.backoff: has a maximum below initial; "
        "raise maximum or lower initial"
    )


def test_a_rule_about_two_keys_holds_where_the_defaults_make_it_hold(folder):
    folder.write("codelocd.toml", BACKOFF.format(initial="1ms", maximum="2ms"))
    (location,) = folder.load("codelocd.toml").locations
    assert (location.policy.backoff.initial, location.policy.backoff.maximum) == (0.001, 0.002)


def test_a_mistake_in_the_defaults_is_said_once_and_each_of_the_locations_too(folder):
    folder.write(
        "codelocd.toml",
        """\
        [defaults]
        wach = ["x"]
        start_timeout = "soon"
        env = { A = [] }
        [location.a]
        module = "a"
        [location.b]
        module = 3
        start_timeout = "later"
        wach = ["y"]
        [location.b.env]
        A = []
        """,
    )
    places = [
        line.partition(": ")[2].partition(": ")[0] for line in folder.problems("codelocd.toml")
    ]
    assert places == [
        "defaults.wach",
        "defaults.start_timeout",
        "defaults.env.A",
        "location.b.module",
        "location.b.start_timeout",
        "location.b.wach",
        "location.b.env.A",
    ]


def test_defaults_and_locations_that_are_no_tables_are_both_said(folder):
    folder.write("codelocd.toml", "defaults = 3\nlocation = 3\n")
    assert len(folder.problems("codelocd.toml")) == 2
