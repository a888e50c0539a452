"""The options of each kind of definition are checked when it is made."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from codeloc import (
    Definitions,
    asset,
    asset_check,
    asset_job,
    job,
    resource,
    schedule,
    sensor,
    times,
)

HERE = __file__


@asset
def orders() -> int:
    return 3


@job
def refresh() -> None: ...


KEY = "the key of an asset (str or list of str)"
REFERENCE = "an asset, or its key (str or list of str)"
TAG_KEY = "[NAMESPACE/]NAME, each of 1 to 63 letters, digits, '_', '-', '.'"
NO_OWNER = "is neither an e-mail address nor team:NAME"
YEARS, BYTES = "above 0, at most 100 years", "above 0, at most 1000 TB"
DURATION = 'seconds, or text such as "500ms", "30s", "5min", "2h", "1d"'
SIZE = 'bytes, or text such as "512MiB", "2GiB"'
JSON = "what JSON can hold (None, bool, int, float, str, list, dict)"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": 3}, "name: got int, expected str"),
        ({"key": 3}, f"key: got int, expected {KEY}"),
        ({"key": []}, "key: an asset's key needs at least one part"),
        ({"key": ["a", 3]}, "key[1]: got int, expected str"),
        ({"key_prefix": {"a"}}, f"key_prefix: got set, expected {KEY}"),
        ({"key": "a", "name": "b"}, "key: is the whole key: leave out name and key_prefix"),
        ({"key": "a", "key_prefix": "b"}, "key: is the whole key: leave out name and key_prefix"),
        ({"deps": "a"}, f"deps: got str, expected a list, each item {REFERENCE}"),
        ({"deps": ["a", 3]}, f"deps[1]: got int, expected {REFERENCE}"),
        ({"deps": [refresh]}, f"deps[0]: got FunctionJobDefinition, expected {REFERENCE}"),
        ({"deps": [[]]}, "deps[0]: an asset's key needs at least one part"),
        ({"group": 3}, "group: got int, expected str"),
        ({"group": ""}, "group: '' is not a name: use only letters, digits and _"),
        ({"kinds": "csv"}, "kinds: got str, expected a list, each item str"),
        ({"kinds": ["csv", 3]}, "kinds[1]: got int, expected str"),
        ({"kinds": [" "]}, "kinds: a kind needs at least one character"),
        ({"description": 3}, "description: got int, expected str"),
        ({"tags": ["a"]}, "tags: got list, expected a dict"),
        ({"tags": {1: "a"}}, "a key of tags: got int, expected str"),
        ({"tags": {"a": 1}}, "tags['a']: got int, expected str"),
        ({"tags": {"a b": ""}}, f"tags: 'a b' is not a tag's key: {TAG_KEY}"),
        ({"owners": "me@home.org"}, "owners: got str, expected a list, each item str"),
        ({"owners": ["me@home.org", 3]}, "owners[1]: got int, expected str"),
        ({"owners": ["team:data", "me"]}, f"owners[1]: 'me' {NO_OWNER}"),
        ({"metadata": [1]}, "metadata: got list, expected a dict"),
        ({"metadata": {1: 1}}, "a key of metadata: got int, expected str"),
        ({"metadata": {"a": Decimal(1)}}, f"metadata['a']: got Decimal, expected {JSON}"),
        ({"metadata": {"a": [0, {"b": {1}}]}}, f"metadata['a'][1]['b']: got set, expected {JSON}"),
        ({"metadata": {"a": {1: 2}}}, "a key of metadata['a']: got int, expected str"),
        ({"metadata": {"a": float("nan")}}, "metadata['a']: nan is not a number in JSON"),
        ({"metadata": {"a": [float("-inf")]}}, "metadata['a'][0]: -inf is not a number in JSON"),
        ({"retries": True}, "retries: got bool, expected int"),
        ({"retries": -1}, "retries: -1 is not from 0 to 100"),
        ({"retry_delay": "5"}, f"retry_delay: '5' is not a duration: {DURATION}, {YEARS}"),
        ({"timeout": None, "memory_limit": True}, f"memory_limit: got bool, expected {SIZE}"),
        ({"timeout": 0}, f"timeout: 0 is not a duration: {DURATION}, {YEARS}"),
        ({"memory_limit": "2GiBs"}, f"memory_limit: '2GiBs' is not a size: {SIZE}, {BYTES}"),
        ({"limits": ["db"]}, "limits: got list, expected a dict"),
        ({"limits": {"a b": 1}}, "limits: 'a b' is not a name: use only letters, digits and _"),
        ({"limits": {"db": "1"}}, "limits['db']: got str, expected int"),
        ({"limits": {"db": 0}}, "limits['db']: 0 would let no run begin: at least 1"),
        ({"limits": {"db": 2**63}}, "limits['db']: an integer of more than 63 bits: leave it out"),
        ({"memory_limit": 2**63}, f"memory_limit: {2**63} is not a size: {SIZE}, {BYTES}"),
    ],
)  # fmt: skip
def test_an_option_of_an_asset_is_checked_when_it_is_made(
    options: dict[str, Any], complaint: str, error_of: Callable[..., str]
) -> None:
    def load() -> int:
        return 1

    text = error_of(lambda: asset(**options)(load))

    assert text.endswith(f": {complaint}")
    assert f"({HERE}:{load.__code__.co_firstlineno}): " in text


def test_metadata_that_contains_itself_is_refused(error_of: Callable[..., str]) -> None:
    metadata: dict[str, Any] = {}
    metadata["again"] = metadata

    assert error_of(lambda: job(metadata=metadata)(refresh.function)).endswith(
        "metadata['again']: nested more than 50 deep"
    )


@pytest.mark.parametrize("key", ["a", "ns/a", "a-b.c_d/e", "x" * 63 + "/" + "y" * 63])
def test_a_tag_has_a_key_with_or_without_a_namespace(key: str) -> None:
    assert job(tags={key: "any text, ß"})(refresh.function).tags == {key: "any text, ß"}


@pytest.mark.parametrize("key", ["", "/a", "a/", "a/b/c", "ü", "x" * 64])
def test_anything_else_is_no_key_of_a_tag(key: str, error_of: Callable[..., str]) -> None:
    text = error_of(lambda: job(tags={key: ""})(refresh.function))

    assert f"tags: {key!r} is not a tag's key" in text


@pytest.mark.parametrize("owner", ["a@b.org", "team:data", "team:a b"])
def test_an_owner_is_an_address_or_a_team(owner: str) -> None:
    assert job(owners=(owner,))(refresh.function).owners == [owner]


@pytest.mark.parametrize("owner", ["", "data", "@b", "a@", "a@b@c", "a b@c", "team:", "team: "])
def test_anything_else_is_no_owner(owner: str, error_of: Callable[..., str]) -> None:
    assert error_of(lambda: job(owners=[owner])(refresh.function)).endswith(
        f"owners[0]: {owner!r} is neither an e-mail address nor team:NAME"
    )


@pytest.mark.parametrize(
    ("interval", "complaint"),
    [
        (True, "got bool, expected seconds, or text such as"),
        (None, "got None, expected seconds, or text such as"),
        ("30", "'30' is not a duration: seconds, or text such as"),
        (0, "0 is not a duration: seconds, or text such as"),
        ("-5s", "'-5s' is not a duration: seconds, or text such as"),
    ],
)
def test_an_interval_is_a_duration(
    interval: Any, complaint: str, error_of: Callable[..., str]
) -> None:
    def look() -> None: ...

    text = error_of(lambda: sensor(job="a", minimum_interval=interval)(look))

    assert f'sensor "look" ({HERE}:' in text
    assert f"minimum_interval: {complaint}" in text


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"cron": 3}, "cron: got int, expected str"),
        ({"cron": "0 0 30 2 *"}, "cron: '0 0 30 2 *': it would never run: no day 30 in feb"),
        ({"cron": "* * *"}, f"cron: '* * *': 3 fields, expected 5: {times.FORM}"),
        ({"timezone": None}, "timezone: got None, expected str"),
        ({"timezone": "Mars"}, "timezone: 'Mars' is not an IANA time zone"),
        ({"job": 3}, "job: got int, expected a job or its name (str)"),
        ({"job": "a\nb"}, "job: 'a\\nb' is not a name: use only letters, digits and _"),
        ({"job": orders}, "job: got AssetDefinition, expected a job or its name (str)"),
        ({"catch_up": 1}, "catch_up: got int, expected str"),
        ({"catch_up": "last"}, "catch_up: 'last' is not one of \"latest\", \"none\", \"all\""),
        ({"overlap": "skip"}, "overlap: 'skip' is not one of \"wait\", \"allow\""),
        ({"jitter": "x"}, f"jitter: 'x' is not a duration: {DURATION}, {YEARS}"),
        ({"enabled": 1}, "enabled: got int, expected bool"),
    ],
)  # fmt: skip
def test_the_times_of_a_schedule_are_checked_when_it_is_made(
    options: dict[str, Any], complaint: str, error_of: Callable[..., str]
) -> None:
    def tick() -> None: ...

    given: dict[str, Any] = {"cron": "@daily", "job": "a", **options}
    text = error_of(lambda: schedule(**given)(tick))

    assert text == f'schedule "tick" ({HERE}:{tick.__code__.co_firstlineno}): {complaint}'


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"blocking": 1}, "blocking: got int, expected bool"),
        ({"severity": "bad"}, 'severity: \'bad\' is not one of "error", "warn"'),
        (
            {"severity": "warn", "blocking": True},
            "blocking: a check that only warns blocks nothing",
        ),
    ],
)
def test_what_a_failed_check_leads_to_is_checked(
    options: dict[str, Any], complaint: str, error_of: Callable[..., str]
) -> None:
    def good() -> bool:
        return True

    assert error_of(lambda: asset_check(asset="a", **options)(good)).endswith(f": {complaint}")


def test_what_is_stated_about_runs_is_told_and_nothing_else() -> None:
    limits = {"db": 1}
    stated: dict[str, Any] = {
        "retries": 2,
        "retry_delay": "30s",
        "timeout": "1h",
        "memory_limit": "2GiB",
        "limits": limits,
    }
    told = {"retries": 2, "retry_delay": 30.0, "timeout": 3600.0, "memory_limit": 2**31}

    def make() -> None: ...

    switched: dict[str, Any] = {"enabled": False, "timeout": 3600.0}
    rules: dict[str, Any] = {"catch_up": "all", "overlap": "allow", "jitter": 5, **switched}
    asked = sensor(job="one", name="asked", enabled=False, timeout="1h")(make)
    tick = schedule(cron="@daily", job="one", **rules)(make)
    warning = asset_check(asset="two", severity="warn", name="w")(make)
    blocking = asset_check(asset="two", blocking=True, name="b")(make)
    plain, two = asset(make), asset(name="two", **stated)(make)
    jobs = [job(name="one", **stated)(make), asset_job("all", [plain], **stated)]
    items = Definitions(
        assets=[plain, two],
        asset_checks=[warning, blocking],
        jobs=jobs,
        schedules=[tick, schedule(cron="@daily", job="one", name="usual")(make)],
        sensors=[asked, sensor(job="one", name="plain")(make)],
    ).describe()
    about = {*stated, *rules, "parameters", "blocking", "severity"}
    assert [{key: each[key] for key in each if key in about} for each in items] == [
        {},
        {**told, "limits": limits},
        {"severity": "warn"},
        {"blocking": True},
        {**told, "limits": limits},
        {**told, "limits": limits},
        {**rules, "jitter": 5.0},
        {},
        switched,
        {},
    ]


@pytest.mark.parametrize(
    ("assets", "complaint"),
    [
        ([], "assets: at least one is needed"),
        ("orders", "assets: got str, expected a list, each item an asset, or its key"),
        ([3], "assets[0]: got int, expected an asset, or its key (str or list of str)"),
        (["a b"], "assets[0]: 'a b' is not a name: use only letters, digits and _"),
    ],
)
def test_the_assets_of_a_job_are_checked_when_it_is_made(
    assets: Any, complaint: str, error_of: Callable[..., str]
) -> None:
    text = error_of(lambda: asset_job("nightly", assets))

    assert text.startswith(f'job "nightly" ({HERE}:')
    assert complaint in text


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        (["A"], "variables: got list, expected a dict"),
        ({"a": 1}, "variables['a']: got int, expected str"),
        ({"a": "$A"}, "variables['a']: '$A' is not the name of a variable"),
    ],
)
def test_the_variables_of_a_resource_are_names(
    variables: Any, complaint: str, error_of: Callable[..., str]
) -> None:
    def database() -> None: ...

    text = error_of(lambda: resource(variables=variables)(database))

    assert complaint in text


def test_a_resource_takes_only_the_context(error_of: Callable[..., str]) -> None:
    def database(context: object, region: str, port: int = 1) -> None: ...

    assert error_of(lambda: resource(database)).endswith(
        'parameter: "region" cannot be given: a resource takes only context'
    )
