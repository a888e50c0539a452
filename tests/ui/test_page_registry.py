"""What the page's process keeps of runs and of files, without a daemon."""

from __future__ import annotations

from typing import Any

from codelocd_ui.registry import ListedRows
from codelocd_ui.runs import MOST_RUNS, MOST_UNFINISHED, KnownRuns, summary, unknown_params

from tests.ui.run_documents import FAILED, RUNS, run


def numbers(known: KnownRuns) -> list[int]:
    return [each["id"] for each in known.newest_first()]


def test_a_summary_counts_steps_and_names_the_newest_attempt() -> None:
    found = summary(FAILED)
    assert found["counts"] == {"succeeded": 1, "failed": 1, "skipped": 1}
    assert found["attempt"] == 2
    assert "steps" not in found
    assert "attempts" not in found
    assert summary(found) == found


def test_the_newest_runs_are_kept_and_all_that_have_not_ended() -> None:
    known = KnownRuns()
    known.replace(RUNS)
    assert numbers(known) == [19, 18, 17, 16, 15, 14]
    known.change(run(1, state="running", location="ads"))
    for number in range(100, 100 + MOST_RUNS):
        known.change(run(number))
    assert numbers(known)[-3:] == [19, 18, 1]
    assert len(known) == MOST_RUNS + 3
    assert known.location_of(1) == "ads"
    assert known.location_of(17) is None


def test_of_many_that_wait_a_tab_begins_with_the_newest() -> None:
    known = KnownRuns()
    known.replace(
        [run(1, state="running"), *(run(each, state="queued") for each in range(2, 1000))]
    )
    told = numbers(known)
    assert len(told) == MOST_UNFINISHED + 1
    assert (told[0], told[-1]) == (999, 1)


def test_a_page_does_not_say_who_asks() -> None:
    given = {"location": "shop", "names": ["x"], "by": {"kind": "cli"}, "wait": True}
    assert unknown_params("run", given) == ["by", "wait"]
    assert unknown_params("run_cancel", {"id": 1, "kill": True}) == []


def definition(name: str, file: str | None, location: str = "shop") -> Any:
    source = None if file is None else {"file": file, "line": 1}
    known = {"location": location, "repository": "", "kind": "resource", "name": name}
    return {**known, "source": source}


def test_files_are_those_in_which_definitions_stand_now() -> None:
    rows = ListedRows()
    there = [definition("a", "/a.py"), definition("b", "/b.py"), definition("c", None)]
    full: Any = {"full": True, "missed": False, "revision": 1, "definitions": there}
    rows.replace(full)
    more = [definition("d", "/a.py", "ads")]
    news: Any = dict.fromkeys(("location", "generation", "seconds", "timing", "start_method"))
    news |= {"revision": 2, "added": more, "changed": [definition("b", "/a.py")], "fields": []}
    news["removed"] = there[:1]
    rows.change(news)
    assert sorted(rows.files()["/a.py"]) == [
        ("ads", "", "resource", "d"),
        ("shop", "", "resource", "b"),
    ]
    assert list(rows.files()) == ["/a.py"]
    rows.drop("shop")
    assert rows.files() == {"/a.py": [("ads", "", "resource", "d")]}
