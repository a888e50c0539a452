"""The page in Chromium: from a save to what is painted, first paint, long lists, graphs, output."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import _projects
from benchmarks._daemon import NothingHappened, folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone
from tests.ui.browser import Shown, launched
from tests.ui.conftest import ServedPage, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

PATIENCE = 60.0
PRECISE = "--enable-precise-memory-info"
SAVES = 50
LOCATIONS, DEFINITIONS = 200, 10_000
GRAPHS = {1_000: (30.0, 50.0), 5_000: (150.0, 60.0), 10_000: (300.0, 130.0)}
"""Assets: milliseconds that the layout, and a frame while it is moved, may take."""
FLOOD_SECONDS = 20.0
FLOOD = """
import threading, time
def flood():
    while True:
        began = time.monotonic()
        for number in range(500):
            print(f"{time.time():.3f} INFO request {number} took {number % 97} ms")
        time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
threading.Thread(target=flood, daemon=True).start()
"""
"""5,000 lines a second; each begins with its time."""
SEEN = """() => {
  window.seen = {};
  const shown = () => [...document.querySelectorAll('.delta.add a, .code .at.hit')];
  new MutationObserver(() => requestAnimationFrame(() => {
    for (const one of shown())
      for (const word of one.textContent.match(/\\w+/g) ?? []) window.seen[word] ??= Date.now();
  })).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Notes when a word is first painted in what changed, or in a line of code that failed."""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
SENT = """(size) => performance.getEntriesByType('resource')
  .filter((one) => one.name.includes('/static/')).reduce((sum, one) => sum + one[size], 0)"""
LIST = """() => new Promise((done) => {
  const began = performance.now();
  location.hash = '#/definitions';
  const look = () => (document.querySelector('.definition-row')
    ? done(performance.now() - began) : requestAnimationFrame(look));
  look();
})"""
FILTER = """(text) => new Promise((done) => {
  const field = document.querySelector('.tools input'), began = performance.now();
  field.value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
  const painted = () => done(performance.now() - began);
  requestAnimationFrame(() => requestAnimationFrame(painted));
})"""
LAYOUT = """async (rows) => {
  const style = document.querySelector('link[rel=stylesheet]').href;
  const { arranged } = await import(new URL('app/layout.js', style).href);
  const open = new Set(rows.map((row) => row[0])), took = [];
  for (let run = 0; run < 7; run += 1) {
    const began = performance.now();
    arranged(rows, open);
    took.push(performance.now() - began);
  }
  return took.slice(2);
}"""
MOVE = """() => {
  let at = 0;
  window.everyFrame = () => {
    at += 1;
    const by = { deltaX: at % 80 < 40 ? 9 : -9, deltaY: at % 60 < 30 ? 6 : -6 };
    document.querySelector('.plane').dispatchEvent(new WheelEvent('wheel', by));
  };
}"""
FRAMES = """(seconds) => new Promise((done) => {
  const frames = [], tasks = [], lags = [];
  const note = (list) => list.getEntries().forEach((one) => tasks.push(one.duration));
  const observer = new PerformanceObserver(note);
  observer.observe({ entryTypes: ['longtask'] });
  const until = performance.now() + 1000 * seconds;
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    const line = [...document.querySelectorAll('.output .line .text')].pop()?.textContent;
    if (line && frames.length % 10 === 0) lags.push(Date.now() - 1000 * parseFloat(line));
    window.everyFrame?.();
    if (now < until) return requestAnimationFrame(step);
    observer.disconnect();
    done({ frames, tasks, lags });
  };
  requestAnimationFrame(step);
})"""


def measure(runs: int) -> list[Figure]:
    """Chromium without a window and without a graphics card. Saves: of a small location, while the
    overview is in view. Lists and graphs are of made-up definitions in up to 200 locations, which
    the browser is given in place of the daemon's. 5,000 lines a second are printed for 20 s.
    """
    with folder() as home, launched(PRECISE) as browser:
        project = _projects.write(home / "project", locations=2)
        with running(project, home) as daemon:
            daemon.until_serving()
            daemon.until_forked("location_0")
            with served(daemon, home) as page:
                return [
                    *_first_visit(browser, page, runs),
                    *_saves(browser, page, project / "location_0.py"),
                    *_long_list(browser, page),
                    *_graphs(browser, page),
                    *_flood(browser, page, project / "location_1.py"),
                ]


@contextmanager
def served(daemon: Any, home: Path) -> Iterator[ServedPage]:
    class Reached:
        socket = str(daemon.socket())

    page = serve(Reached, home)  # type: ignore[arg-type]  # nothing else is asked of it
    try:
        yield page
    finally:
        page.end()


def _first_visit(browser: Browser, page: ServedPage, runs: int) -> list[Figure]:
    painted, complete, sent, again = [], [], [], []
    for _ in range(max(3, runs)):
        shown = Shown(browser, page)
        shown.tab.locator("h1", has_text="Everything").wait_for()
        complete.append(shown.tab.evaluate("performance.now()"))
        painted.append(shown.tab.evaluate(PAINTED))
        sent.append(shown.tab.evaluate(SENT, "encodedBodySize") / 1024)
        shown.tab.reload()
        shown.tab.locator("h1", has_text="Everything").wait_for()
        again.append(shown.tab.evaluate(SENT, "transferSize") / 1024)
        shown.close()
    return [
        Figure("first visit: first paint with content", "ms", tuple(painted), 400.0),
        Figure("first visit: complete", "ms", tuple(complete), 700.0),
        Figure("first visit: scripts, styles and fonts", "KiB", tuple(sent), 180.0),
        Figure("second visit: of these over the wire", "KiB", tuple(again), 5.0),
    ]


def _saves(browser: Browser, page: ServedPage, module: Path) -> list[Figure]:
    shown = Shown(browser, page)
    shown.tab.evaluate(SEEN)
    names = [f"new_{run}" for run in range(SAVES)]
    saves = [_painted(shown, module, _projects.source(name), name) for name in names]
    breaks = []
    for run in range(SAVES // 5):
        name = f"broken_{run}"
        text = _projects.source(name).replace(f"def {name}(first)", f"def {name}(first:(")
        breaks.append(_painted(shown, module, text, name))
        module.write_text(_projects.source(f"mended{run}"))
        shown.tab.locator("h1", has_text="Everything is serving").wait_for()
    shown.close()
    return [
        Figure("save → its asset painted on the page", "ms", tuple(saves), 120.0),
        Figure(f"… p99 of {SAVES}", "ms", (_part(saves, 0.99),), 300.0),
        Figure("broken save → the line painted", "ms", tuple(breaks), 120.0),
    ]


def _painted(shown: Shown, module: Path, text: str, word: str) -> float:
    """Milliseconds from a save until the page has painted a word of it."""
    began = time.time()
    module.write_text(text)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        at = shown.tab.evaluate("(word) => window.seen[word]", word)
        if at is not None:
            return float(at) - 1000 * began
        time.sleep(0.01)
    raise NothingHappened(f"{word} was not painted")


def _rows(assets: int) -> list[list[Any]]:
    """Assets of many locations; about 1.1 edges each, a tenth of them to another location."""
    each = assets // min(LOCATIONS, max(5, assets // 50))
    rows: list[list[Any]] = []
    for at in range(assets):
        place, number = divmod(at, each)
        deps = [f"asset_{place}_{number - 1 - at % 7}"] if number > 7 else []
        if at % 10 == 0 and place:
            deps.append(f"asset_{place - 1 - at % min(place, 9)}_{number}")
        name = f"asset_{place}_{number}"
        rows.append([f"place_{place}", "", "asset", name, f"group_{number % 4}", [], deps, ""])
    return rows


def _given(browser: Browser, page: ServedPage, rows: list[list[Any]]) -> Shown:
    """A tab in which those rows stand for all definitions."""
    shown = Shown(browser, page)

    def answer(route: Route) -> None:
        route.fulfill(json={"rows": rows, "conflicts": [], "revision": 1})

    shown.context.route("**/api/registry", answer)
    with shown.tab.expect_response("**/api/registry"):
        shown.tab.reload()
    return shown


def _long_list(browser: Browser, page: ServedPage) -> list[Figure]:
    shown = _given(browser, page, _rows(DEFINITIONS))
    listed, filtered = [], []
    for run in range(5):
        shown.go("#/events")
        listed.append(shown.tab.evaluate(LIST))
        filtered.append(shown.tab.evaluate(FILTER, f"asset_{run}7"))
        filtered.append(shown.tab.evaluate(FILTER, ""))
    heap = shown.tab.evaluate("performance.memory.usedJSHeapSize") / 2**20
    shown.close()
    return [
        Figure("10,000 definitions: the list is there", "ms", tuple(listed), 500.0),
        Figure("… a key → filtered and painted", "ms", tuple(filtered), 50.0),
        Figure("… JavaScript heap", "MiB", (heap,), 80.0),
    ]


def _graphs(browser: Browser, page: ServedPage) -> list[Figure]:
    figures = []
    for count, (most_layout, most_frame) in GRAPHS.items():
        rows = _rows(count)
        shown = _given(browser, page, rows)
        took = shown.tab.evaluate(LAYOUT, rows)
        shown.go("#/graph?open=" + ",".join(sorted({row[0] for row in rows})))
        shown.tab.locator(".plane canvas").wait_for()
        shown.tab.evaluate(MOVE)
        frames = shown.tab.evaluate(FRAMES, 4)["frames"][5:]
        name, moved = f"graph of {count:,} assets, all open: layout", _part(frames, 0.95)
        figures.append(Figure(name, "ms", tuple(took), most_layout))
        figures.append(Figure("… a frame while all is moved, p95", "ms", (moved,), most_frame))
        shown.close()
    return figures


def _flood(browser: Browser, page: ServedPage, module: Path) -> list[Figure]:
    shown = Shown(browser, page)
    shown.go("#/output")
    module.write_text(_projects.source("second") + FLOOD)
    shown.tab.locator(".output .line .text", has_text="INFO request").first.wait_for()
    measured = shown.tab.evaluate(FRAMES, FLOOD_SECONDS)
    module.write_text(_projects.source("second"))
    shown.close()
    frame = _part(measured["frames"], 0.95)
    lags = [lag for lag in measured["lags"] if not math.isnan(lag)]  # a rule between lines is
    return [
        Figure("5,000 lines a second: a frame, p95", "ms", (frame,), 50.0),
        Figure("… longest task", "ms", (max(measured["tasks"], default=0.0),), 100.0),
        Figure("… a line is painted after", "ms", (statistics.median(lags),), 300.0),
    ]


def _part(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


if __name__ == "__main__":
    alone(measure, __doc__, 5)
