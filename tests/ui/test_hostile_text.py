"""Names, tracebacks and lines that try to be more than text, on every page that shows them.

`codeloc` and Dagster refuse such names of definitions; the page does not count on that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.ui.browser import NEEDS_BROWSER, Shown
from tests.ui.conftest import ASSETS, ServedPage
from tests.ui.run_documents import AT, check, run, schedule, step

pytestmark = NEEDS_BROWSER
IMAGE = '<img src=x onerror="window.owned=1">'
LINK = "javascript:window.owned=1"
DEFINITIONS = rf'''
from codeloc import Definitions, asset, job
IMAGE = """{IMAGE}"""
LINK = """{LINK}"""

@asset(key=["__proto__"], group="constructor", kinds={{"toString"}}, tags={{"constructor": LINK}},
       owners=["team:hasOwnProperty"], metadata={{IMAGE: LINK, "__proto__": {{"constructor": 1}}}})
def first():
    """\u202e{IMAGE} \x1b[31m"""

defs = Definitions(assets=[first])
'''
PRINTS = r"""
print(IMAGE, "said")
print("\x1b[31mred\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07 \x1b[2J\x1b]52;c;AAAA\x07 done")
print("\u202eesrever \u2066 \u0007 bidi")
print("x" * 65536)
"""
NAMES = ["__proto__", IMAGE, LINK]
PAGES = [
    "#/",
    "#/location/shop",
    "#/location/shop/definitions",
    "#/location/shop/output",
    "#/location/shop/events",
    "#/location/shop/environment",
    "#/location/shop/timing",
    "#/location/__proto__",
    f"#/location/{quote(IMAGE, safe='')}",
    f"#/definitions?q={quote(IMAGE)}",
    "#/definitions",
    "#/graph",
    f"#/graph/shop/{quote(IMAGE, safe='')}",
    "#/graph?open=__proto__,constructor",
    "#/output?q=said",
    "#/output?q=/(/&at=x&location=__proto__",
    "#/events?location=__proto__&outcome=constructor&span=x-y",
    "#/environments/__proto__",
    "#/%E0%A4%A/%",
    "#/constructor/toString",
    "#/definition/shop/asset/__proto__",
    f"#/definition/shop/asset/{quote(IMAGE, safe='')}",
    f"#/definition/__proto__/{quote(LINK, safe='')}/constructor?repository={quote(IMAGE)}",
]


PROBLEM = {"kind": "run", "summary": IMAGE, "detail": f"{LINK}\n{IMAGE}", "at": AT, "frames": []}
RUN = run(
    17,
    job=LINK,
    state=IMAGE,
    why="__proto__",
    summary=IMAGE,
    by={"kind": "constructor", "name": IMAGE},
    params={"__proto__": LINK, IMAGE: {"toString": IMAGE}},
    tags={LINK: IMAGE},
    config={IMAGE: LINK},
    dagster_run=LINK,
    environment=LINK,
    code={"generation": 1, "manifest": IMAGE, "late": [IMAGE]},
    steps=[
        step(IMAGE, state="constructor", why=LINK, metadata={"__proto__": IMAGE, IMAGE: [LINK]}),
        step(LINK, state="failed", problem=PROBLEM, checks=[check(IMAGE, summary=LINK)]),
    ],
)
LINE = {"seq": 1, "at": AT, "location": "17", "stream": IMAGE, "text": IMAGE, "generation": 1}
RUN_ANSWERS: dict[str, Any] = {
    "runs": {"runs": [RUN], "more": False},
    "run_show": {"run": RUN, "code": {IMAGE: LINK, "__proto__": IMAGE}},
    "run_logs": {"lines": [LINE], "last": 1, "more": False},
    "schedules": {"schedules": [schedule(IMAGE, cron=LINK, why=IMAGE, cursor={IMAGE: LINK})]},
}
RUN_PAGES = ["#/runs", "#/runs/17", "#/runs/17/output", "#/runs/17/code", "#/runs/schedules"]
TELL = """async (run) => {
  const style = document.querySelector('link[rel=stylesheet]').href;
  const { store, take } = await import(new URL('app/store.js', style).href);
  take({ type: 'page', ...store.page, runs: true });
  take({ type: 'run', run });
}"""


@pytest.fixture
def hostile(page: ServedPage) -> Iterator[ServedPage]:
    """The location serves hostile definitions; its newest save fails in a hostile manner."""
    source = page.daemon.project / "definitions.py"
    before = page.daemon.entry("shop")["generation"]
    source.write_text(DEFINITIONS + PRINTS)
    page.daemon.until("shop", lambda entry: entry["problem"] or entry["generation"] > before)
    assert page.daemon.entry("shop")["problem"] is None
    source.write_text(DEFINITIONS + 'raise ValueError(IMAGE + LINK + "\\u202e\\x1b[31m\\ud800")\n')
    page.daemon.until("shop", lambda entry: entry["problem"] is not None)
    yield page
    source.write_text(ASSETS)
    page.daemon.until("shop", lambda entry: entry["problem"] is None)


LOOK = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done([
  [...document.links].map((each) => each.protocol),
  document.querySelectorAll('#page :is(img, script, iframe)').length,
  'owned' in window,
]))))"""
"""Of what was drawn: where links lead, elements that are not ours, and whether one of them ran."""


def rename(route: Any) -> None:
    """Answer what the page's server answers, with definitions of hostile names beside it."""
    answer = route.fetch()
    document = answer.json()
    if "rows" in document:
        kinds = ["toString", IMAGE]
        document["rows"] += [
            ["shop", IMAGE, "asset", name, IMAGE, kinds, [*NAMES, LINK + "missing"], ""]
            for name in NAMES[1:]
        ] + [["shop", "", IMAGE, LINK, "", [], NAMES, ""]]
    elif "name" in document and document.get("kind") == "asset":
        document |= {"owners": [IMAGE], "policy": {LINK: {IMAGE: LINK}}, "source": None}
        document["upstream"] = [{"key": [name], "producers": []} for name in NAMES]
    route.fulfill(response=answer, json=document)


def test_hostile_text_stays_text_and_the_browser_has_nothing_to_say(
    browser: Any, hostile: ServedPage
) -> None:
    shown = Shown(browser, hostile)
    shown.context.route("**/api/registry", rename)
    shown.context.route("**/api/show?*", rename)
    shown.tab.reload()
    for address in PAGES:
        shown.go(address)
        shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
        protocols, strangers, owned = shown.tab.evaluate(LOOK)
        assert set(protocols) <= {"http:", "vscode:"}, (address, protocols)
        assert (strangers, owned) == (0, False), address
    absent = "status of 404"  # what the browser says of a definition that no location has
    assert [said for said in shown.said if absent not in said] == []
    shown.go("#/output")
    lines = shown.tab.locator(".output .line .text")
    lines.first.wait_for()
    said = "\n".join(lines.all_inner_texts())
    assert f"{IMAGE} said" in said
    assert "redlink  done" in said
    assert "\\u202eesrever" in said
    assert "more characters" in said
    shown.close()


def test_hostile_runs_stay_text(browser: Any, page: ServedPage) -> None:
    shown = Shown(browser, page)
    for method, answer in RUN_ANSWERS.items():
        shown.tab.route(
            f"**/api/{method}?*", lambda route, _, answer=answer: route.fulfill(json=answer)
        )
    shown.tab.evaluate(TELL, {**RUN, "attempt": 1, "counts": {}})
    for address in (*RUN_PAGES, "#/location/shop", "#/location/shop/runs", "#/runs/__proto__"):
        shown.go(address)
        shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
        shown.tab.wait_for_load_state("networkidle")
        protocols, strangers, owned = shown.tab.evaluate(LOOK)
        assert set(protocols) <= {"http:", "vscode:"}, (address, protocols)
        assert (strangers, owned) == (0, False), address
    shown.go("#/runs/17")
    shown.tab.locator(".steps", has_text="<img src=x").wait_for()
    assert shown.said == []
    shown.close()
