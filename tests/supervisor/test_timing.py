"""Where the time of a reload goes."""

from __future__ import annotations

from typing import Any

from codelocd.core.timing import Timing
from codelocd.render import location

RELOAD = Timing(
    saved=10.0,
    noticed=10.25,
    decided=10.5,
    started=11.0,
    loaded=13.0,
    published=13.125,
    importing=1.5,
)


def test_each_stage_is_what_lies_between_two_moments() -> None:
    assert RELOAD.as_json() == {
        "event": 0.25,
        "decision": 0.25,
        "start": 0.5,
        "import": 1.5,
        "snapshot": 0.5,
        "publish": 0.125,
        "total": 3.125,
    }


def test_a_start_that_no_save_caused_has_no_event() -> None:
    stages = Timing(decided=1.0, started=2.0, loaded=3.0, published=4.0).as_json()
    assert (stages["event"], stages["decision"], stages["total"]) == (None, None, 3.0)


def test_a_file_that_brought_its_own_time_tells_nothing_about_the_event() -> None:
    assert Timing(saved=10.0, noticed=5.0).as_json()["event"] is None
    assert Timing(saved=10.0, noticed=9999.0).as_json()["event"] is None


def test_the_line_names_the_start_method_and_leaves_out_what_is_not_known() -> None:
    stages = Timing(decided=1.0, started=1.5, importing=0.25).as_json()
    assert location.line(stages, "fork") == "fork 500ms, import 250ms"


def test_the_page_ends_with_the_total() -> None:
    document: Any = {"timing": RELOAD.as_json(), "start_method": "spare"}
    assert location.page(document).splitlines()[2] == "spare        500ms"
    assert location.page(document).splitlines()[-1] == "total         3.1s"
    document = {"timing": None, "start_method": None}
    assert location.page(document) == "nothing serves"
