"""The page in Chromium: from a save to what is painted, first paint, long lists, graphs, output."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from benchmarks import _projects
from benchmarks._daemon import Daemon, NothingHappened, folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks._tree import cpu
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
  window.heads = {};
  const headed = () => {
    const text = document.querySelector('h1')?.textContent;
    if (text !== window.head) window.heads[window.head = text] = Date.now();
  };
  const shown = () => [...document.querySelectorAll('.delta.add a, .code .at.hit')];
  new MutationObserver(() => requestAnimationFrame(() => {
    headed();
    for (const one of shown())
      for (const word of one.textContent.match(/\\w+/g) ?? []) window.seen[word] ??= Date.now();
  })).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Notes when a word is first painted in what changed, or in a line of code that failed, and when
each headline was painted last."""
SERVED = """async () => {
  const style = document.querySelector('link[rel=stylesheet]').href;
  const { store } = await import(new URL('app/store.js', style).href);
  return 1000 * store.live[0].seconds;
}"""
"""Milliseconds from the newest save until it was served, as the daemon tells."""
PAINTED = """() => new Promise((done) => {
  const look = () => {
    const painted = performance.getEntriesByName('first-contentful-paint')[0];
    return painted ? done(painted.startTime) : setTimeout(look, 20);
  };
  look();
})"""
SENT = """([size, ending]) => performance.getEntriesByType('resource')
  .filter((one) => one.name.includes('/static/') && one.name.endsWith(ending))
  .reduce((sum, one) => sum + one[size], 0) / 1024"""
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
                    *_flood(browser, page, project, psutil.Process(daemon.process.pid)),
                    *_lost(browser, daemon, home),
                ]


@contextmanager
def served(daemon: Daemon, home: Path, *arguments: str) -> Iterator[ServedPage]:
    class Reached:
        socket = str(daemon.socket())

    page = serve(Reached, home, *arguments)  # type: ignore[arg-type]  # nothing else is asked of it
    try:
        yield page
    finally:
        page.end()


def _first_visit(browser: Browser, page: ServedPage, runs: int) -> list[Figure]:
    seen = [_visit(browser, page) for _ in range(max(3, runs))]
    names = (
        ("first visit: first paint with content", "ms", 400.0),
        ("first visit: complete", "ms", 700.0),
        ("first visit: scripts, styles and fonts", "KiB", 180.0),
        ("… of that scripts", "KiB", 60.0),
        ("… of that styles", "KiB", 8.0),
        ("second visit: of these over the wire", "KiB", 5.0),
        ("second visit: first paint with content", "ms", 150.0),
    )
    columns = zip(names, zip(*seen, strict=True), strict=True)
    return [Figure(name, unit, values, most) for (name, unit, most), values in columns]


def _visit(browser: Browser, page: ServedPage) -> tuple[float, ...]:
    """What `_first_visit` names, in its order."""
    shown = Shown(browser, page)
    headline = shown.tab.locator("h1", has_text="Everything")
    headline.wait_for()
    complete = shown.tab.evaluate("performance.now()")
    painted = shown.tab.evaluate(PAINTED)
    sent = [shown.tab.evaluate(SENT, ["encodedBodySize", end]) for end in ("", ".js", ".css")]
    shown.tab.reload()
    headline.wait_for()
    again = shown.tab.evaluate(SENT, ["transferSize", ""]), shown.tab.evaluate(PAINTED)
    shown.close()
    return painted, complete, *sent, *again


def _saves(browser: Browser, page: ServedPage, module: Path) -> list[Figure]:
    shown = Shown(browser, page)
    shown.tab.evaluate(SEEN)
    saves, shares, breaks, repairs = [], [], [], []
    for run in range(SAVES):
        saves.append(_painted(shown, module, _projects.source(f"new_{run}"), f"new_{run}"))
        shares.append(saves[-1] - shown.tab.evaluate(SERVED))
    for run in range(SAVES // 5):
        name = f"broken_{run}"
        text = _projects.source(name).replace(f"def {name}(first)", f"def {name}(first:(")
        breaks.append(_painted(shown, module, text, name))
        began = time.time()
        module.write_text(_projects.source(f"mended{run}"))
        shown.tab.locator("h1", has_text="Everything is serving").wait_for()
        repairs.append(shown.tab.evaluate("window.heads['Everything is serving']") - 1000 * began)
    shown.close()
    return [
        Figure("save → its asset painted on the page", "ms", tuple(saves), 120.0),
        Figure(f"… p99 of {SAVES}", "ms", (_part(saves, 0.99),), 300.0),
        Figure("… of that after codelocd served it", "ms", tuple(shares), 60.0),
        Figure("broken save → the line painted", "ms", tuple(breaks), 120.0),
        Figure("repair → the problem gone", "ms", tuple(repairs), 120.0),
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


def _flood(
    browser: Browser, page: ServedPage, project: Path, daemon: psutil.Process
) -> list[Figure]:
    """In one tab the output; another one shows the overview."""
    module, other = project / "location_1.py", project / "location_0.py"
    shown, overview = Shown(browser, page), Shown(browser, page)
    overview.tab.evaluate(SEEN)
    shown.go("#/output")
    module.write_text(_projects.source("second") + FLOOD)
    shown.tab.locator(".output .line .text", has_text="INFO request").first.wait_for()
    spent, began = cpu(daemon), time.monotonic()
    measured = shown.tab.evaluate(FRAMES, FLOOD_SECONDS)
    share = 100 * (cpu(daemon) - spent) / (time.monotonic() - began)
    names = [f"meanwhile_{run}" for run in range(SAVES // 5)]
    saves = [_painted(overview, other, _projects.source(name), name) for name in names]
    module.write_text(_projects.source("second"))
    shown.close()
    overview.close()
    frame = _part(measured["frames"], 0.95)
    lags = [lag for lag in measured["lags"] if not math.isnan(lag)]  # a rule between lines is
    return [
        Figure("5,000 lines a second: a frame, p95", "ms", (frame,), 50.0),
        Figure("… longest task", "ms", (max(measured["tasks"], default=0.0),), 100.0),
        Figure("… a line is painted after", "ms", (statistics.median(lags),), 300.0),
        Figure("… CPU of the daemon", "%", (share,), 30.0),
        Figure("… save of another location → its asset painted", "ms", tuple(saves), 300.0),
    ]


def _lost(browser: Browser, daemon: Daemon, home: Path) -> list[Figure]:
    """The page's process is killed, and another one started in its place."""
    gone, back = [], []
    for _ in range(3):
        with served(daemon, home) as first:
            shown = Shown(browser, first)
            first.process.kill()
            gone.append(_until(shown, "visible"))
        with served(daemon, home, "--port", first.host.rpartition(":")[2]):
            back.append(_until(shown, "detached"))
            shown.close()
    return [
        Figure("kill -9 of the page's process → the page says so", "ms", tuple(gone), 1000.0),
        Figure("it is there again → the page is live", "ms", tuple(back), 2000.0),
    ]


def _until(shown: Shown, state: Literal["visible", "detached"]) -> float:
    """Milliseconds until the bar of a lost connection is there, or is not."""
    began = time.monotonic()
    shown.tab.locator(".bar.bad").wait_for(state=state)
    return 1000 * (time.monotonic() - began)


def _part(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


if __name__ == "__main__":
    alone(measure, __doc__, 5)
