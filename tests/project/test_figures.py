"""What `make bench` says of what it measured."""

import json
from pathlib import Path

import pytest

import benchmarks.status_command
from benchmarks._measure import Figure, difference, ratio
from benchmarks._report import (
    Section,
    document,
    earlier,
    keep,
    machine,
    markdown,
    sections_of,
    table,
)

SLOW = Figure("slow", "ms", (30.0, 50.0, 40.0))
QUICK = Figure("quick", "ms", (10.0, 10.0, 20.0))


def test_a_figure_is_a_median_with_its_extremes_and_the_number_of_runs() -> None:
    *_, row = table([Figure("status", "ms", (3.5, 1.25, 2.5))]).splitlines()
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == ["status", "2.50 ms", "1.25 – 3.50", "3", "", ""]


def test_a_difference_is_taken_pair_by_pair() -> None:
    assert difference("over", SLOW, QUICK).values == (20.0, 40.0, 20.0)


def test_a_ratio_is_that_of_the_medians_and_shows_those_of_the_pairs() -> None:
    found = ratio("over", SLOW, QUICK)
    assert (found.median, found.values) == (4.0, (3.0, 5.0, 2.0))


@pytest.mark.parametrize(("target", "met"), [(40.0, True), (39.0, False), (None, None)])
def test_a_target_is_met_by_the_median(target: float | None, met: bool | None) -> None:
    assert Figure("slow", "ms", SLOW.values, target).met is met


@pytest.mark.parametrize(("least", "met"), [(4.0, True), (4.1, False)])
def test_a_ratio_may_have_to_be_so_large_at_least(least: float, met: bool) -> None:
    assert ratio("over", SLOW, QUICK, least=least).met is met


def test_the_page_and_the_document_have_every_figure_its_machine_and_what_it_is_beside() -> None:
    section = Section(benchmarks.status_command, [SLOW, ratio("over", SLOW, QUICK, least=5)])
    page = markdown([section], machine(), ["supervisor 4.3.0"])
    for text in ("## The status command", "supervisor 4.3.0", "cores", "≥ 5 times", "**missed**"):
        assert text in page
    text = document({"status_command": section.figures}, machine(), ["supervisor 4.3.0"])
    kept = json.loads(text)
    assert [each["met"] for each in kept["figures"]["status_command"]] == [None, False]
    assert kept["peers"] == ["supervisor 4.3.0"]


def test_figures_are_read_again_as_they_were_kept(tmp_path: Path) -> None:
    figures = {"any": [SLOW, ratio("over", SLOW, QUICK, least=5)]}
    file = tmp_path / "results" / "latest.json"
    assert earlier(file) == {}
    keep(file, document(figures, machine(), []))
    again = earlier(file)["any"]
    assert [each.document() for each in again] == [each.document() for each in figures["any"]]


def test_a_missed_target_stands_out_in_the_table() -> None:
    lines = table([Figure("slow", "ms", SLOW.values, 39.0), QUICK]).splitlines()
    assert "**missed**" in lines[2]
    assert "missed" not in lines[3]
    assert len({len(line) for line in lines}) == 1


def test_a_section_that_was_measured_elsewhere_stands_on_the_page_as_it_was() -> None:
    former = markdown([Section(benchmarks.status_command, [SLOW])], {"date": "then"}, [])
    ((title, text),) = sections_of(former).items()
    assert title == Section(benchmarks.status_command, []).title
    assert "Measured on: date then." in text
    assert markdown([text], {"date": "now"}, []) == former
