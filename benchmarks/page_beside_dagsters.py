"""The page of codelocd and that of Dagster in one browser, of one project with `dev --dagster`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import _dagster, _peers
from benchmarks._daemon import NothingHappened, folder
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks.page_in_browser import PAINTED, SEEN
from tests.ui.browser import Shown, launched
from tests.ui.conftest import ServedPage, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from benchmarks._dagster import Side

LEAST_RUNS = 5
PATIENCE = 60.0
RECEIVED = """() => performance.getEntries()
  .filter((one) => ['navigation', 'resource'].includes(one.entryType))
  .reduce((sum, one) => sum + one.encodedBodySize, 0) / 1024"""
"""KiB of the document and of all that it loaded, as it was sent."""


def measure(runs: int) -> list[Figure]:
    """One small location of Dagster's. A save shows on codelocd's page when it is painted; on
    Dagster's no sooner than when its data has the asset, which is what is measured. A visit is
    the first of a new browser profile: the overview, and Dagster's list of locations.
    """
    runs = max(LEAST_RUNS, runs // 2)
    prefix = _peers.environment(*_peers.DAGSTER)
    with folder() as home, launched() as browser:
        project = _dagster.write(home / "project", [prefix])
        with _dagster.ours(project, home) as side:
            side.until_loaded(1)
            page = _page(home)
            try:
                return [*_visits(browser, page, side, runs), *_saves(browser, page, side, runs)]
            finally:
                page.end()


def _page(home: Path) -> ServedPage:
    class Reached:
        socket = str(next(home.glob("run/codelocd/*/control.sock")))

    return serve(Reached, home / "page")  # type: ignore[arg-type]  # nothing else is asked of it


def _visits(browser: Browser, page: ServedPage, side: Side, runs: int) -> list[Figure]:
    ours, theirs = [], []
    for _ in range(runs):
        shown = Shown(browser, page)
        shown.tab.locator("h1", has_text="Everything").wait_for()
        ours.append((shown.tab.evaluate(PAINTED), shown.tab.evaluate(RECEIVED)))
        shown.close()
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{side.port}/locations")
        tab.get_by_text("location_0").first.wait_for(timeout=1000 * PATIENCE)
        theirs.append((tab.evaluate(PAINTED), tab.evaluate(RECEIVED)))
        context.close()
    (our_paint, our_size), (paint, size) = zip(*ours, strict=True), zip(*theirs, strict=True)
    return [
        Figure("first visit: first paint with content, codelocd", "ms", our_paint),
        Figure("… Dagster's page", "ms", paint),
        Figure("first visit: received, codelocd", "KiB", our_size),
        Figure("… Dagster's page", "KiB", size),
    ]


def _saves(browser: Browser, page: ServedPage, side: Side, runs: int) -> list[Figure]:
    shown = Shown(browser, page)
    shown.tab.evaluate(SEEN)
    ours, theirs = [], []
    side.save("warm_up", reload=False)  # changes all names: more than the page shows of one save
    for run in range(runs):
        began = time.time()
        theirs.append(side.save(f"saved_{run}", reload=False))
        ours.append(_seen(shown, f"saved_{run}") / 1000 - began)
    shown.close()
    first = Figure("save → new asset painted on codelocd's page", "s", tuple(ours))
    second = Figure("… in the data of Dagster's", "s", tuple(theirs))
    return [first, second, ratio("Dagster's page, against codelocd's", second, first)]


def _seen(shown: Shown, name: str) -> float:
    """When it was painted, in Unix milliseconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        at = shown.tab.evaluate("(name) => window.seen[name]", name)
        if at is not None:
            return float(at)
        time.sleep(0.02)
    raise NothingHappened(f"{name} was not painted")


if __name__ == "__main__":
    alone(measure, __doc__, LEAST_RUNS)
