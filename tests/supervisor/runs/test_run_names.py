"""What a command means by the names that it is given."""

from __future__ import annotations

from typing import Any

import pytest

from codelocd.core.shapes import WrongShape
from codelocd.runs.names import RunChoice, UnfitNames, chosen, location_of
from codelocd.runs.told import run_event, told_event


def listed(kind: str, name: str, repository: str = "r", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "repository": repository, **more}


OWN = [
    listed("asset", "orders"),
    listed("asset", "sales/orders"),
    listed("job", "nightly"),
    listed("asset", "elsewhere", external=True),
    listed("job", "weekly", "other"),
]


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (["nightly"], RunChoice("r", job="nightly")),
        (["sales/nightly"], RunChoice("r", job="nightly")),
        (["sales/weekly"], RunChoice("other", job="weekly")),
        (["sales/orders"], RunChoice("r", select=("sales/orders",))),
        (["orders", "sales/orders"], RunChoice("r", select=("orders", "sales/orders"))),
    ],
)
def test_a_name_is_a_job_or_an_asset_with_or_without_its_location(
    names: list[str], meant: RunChoice
) -> None:
    assert chosen(names, (), "sales", OWN) == meant


def test_what_several_repositories_have_is_never_chosen_silently() -> None:
    two = [listed("job", "both", "one"), listed("job", "both", "two"), listed("job", "only", "two")]
    assert chosen(["only"], (), "sales", two) == RunChoice("two", job="only")
    assert chosen(["sales/both"], (), "sales", two, "two") == RunChoice("two", job="both")
    assert chosen([], ["*"], "sales", two, "two") == RunChoice("two", select=("*",))
    for names, select in ((["both"], ()), (["sales"], ["*"])):
        with pytest.raises(UnfitNames, match="several repositories: one, two; say which: --repo"):
            chosen(names, select, "sales", two)
    with pytest.raises(UnfitNames, match="sales has no repository 'three'"):
        chosen(["both"], (), "sales", two, "three")


def test_a_location_alone_goes_with_selections_of_the_repository_that_has_assets() -> None:
    assert chosen(["sales"], ["+orders"], "sales", OWN) == RunChoice("r", select=("+orders",))


@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        ([], "usage", "name a job"),
        (["sales"], "usage", "there are: nightly, weekly"),
        (["nightli"], "unknown", 'did you mean "nightly"?'),
        (["elsewhere"], "unknown", "no job and no asset 'elsewhere'"),
        (["nightly", "orders"], "usage", "a run is of one job"),
        (["weekly", "orders"], "usage", "a run is of one repository"),
    ],
)
def test_names_that_mean_nothing_are_told_in_a_line(names: list[str], kind: str, said: str) -> None:
    with pytest.raises(UnfitNames) as raised:
        chosen(names, (), "sales", OWN)
    assert (raised.value.kind, said in str(raised.value)) == (kind, True)


def test_the_location_is_what_names_begin_with_unless_there_is_one() -> None:
    assert location_of(["nightly"], ["sales"]) == "sales"
    assert location_of(["web/a", "web/b"], ["sales", "web"]) == "web"
    for names, kind in ((["nightly"], "unknown"), (["web/a", "sales/b"], "usage"), ([], "usage")):
        with pytest.raises(UnfitNames) as raised:
            location_of(names, ["sales", "web"])
        assert raised.value.kind == kind
    with pytest.raises(UnfitNames, match="; write sales/nightly or web/nightly"):
        location_of(["nightly"], ["sales", "web"], lambda name: ["web", "sales", "web"])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"event": "step", "name": "a"}',
        b'{"event": "check", "name": "a", "state": "passed"}',
        b'{"event": "plan", "steps": [1]}',
        b'{"event": "plan", "steps": [{"name": "a", "timeout": "1"}]}',
    ],
)
def test_a_line_of_user_code_on_the_pipe_is_no_event(line: bytes) -> None:
    with pytest.raises(WrongShape):
        told_event(line)


def test_an_event_that_the_run_does_not_know_changes_nothing() -> None:
    assert run_event(told_event(b'{"event": "anything", "at": 1}')) is None
