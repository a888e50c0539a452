"""Runs of a real daemon in the terminal view, as keys ask for them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from codelocd_top.screen import TopApp, TopFacts
from textual.pilot import Pilot

from tests.end_to_end.daemons import Dev
from tests.ui.top.test_top_keys import bar, pane, rows, top, until

CODE = """\
import time
from pathlib import Path

from codeloc import Definitions, asset, job

@asset
def raw(context, rows: int = 3):
    context.add_metadata(rows=rows)

@job
def broken():
    raise ValueError("no rows came")

@job
def waits():
    print("waiting", flush=True)
    while not (Path(__file__).parent / "go").exists():
        time.sleep(0.01)

defs = Definitions(assets=[raw], jobs=[broken, waits])
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A daemon with a location that has jobs."""
    home = tmp_path_factory.mktemp("top-runs")
    project = home / "shop"
    project.mkdir()
    (project / "definitions.py").write_text(CODE)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "definitions.py"\n')
    started = Dev(project, home / "home", ())
    try:
        started.until_serving("shop")
        yield started
    finally:
        started.stop()


@pytest.fixture
async def pilot(daemon: Dev) -> AsyncIterator[Pilot[None]]:
    facts = TopFacts(Path(daemon.socket), "shop", foreign=False, link=["true"])
    async with TopApp(facts, {"NO_COLOR": "1"}).run_test(size=(110, 30)) as found:
        await until(lambda: top(found).model.knows_runs and bool(top(found).model.order))
        yield found


def shown(pilot: Pilot[None]) -> str:
    return "\n".join(pane(top(pilot)).lines)


async def test_a_job_is_started_followed_and_cancelled(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.press("n", *"wai")
    await until(lambda: "▸ shop/waits" in bar(app, "last"))
    await pilot.press("enter", "u", "o")
    await until(lambda: "waiting" in shown(pilot))
    assert "running" in rows(app).lines[0]
    await pilot.press("s")
    await until(lambda: "waits" in shown(pilot))
    await pilot.press("c")
    assert "cancel run" in bar(app, "last")
    await pilot.press("y")
    await until(lambda: "cancelled" in rows(app).lines[0])
    await until(lambda: "cancelled after" in shown(pilot))


async def test_a_failure_is_told_with_its_traceback_and_run_again(
    daemon: Dev, pilot: Pilot[None]
) -> None:
    app = top(pilot)
    with daemon.client() as client:
        asked = {"location": "shop", "names": ["broken"], "wait": True}
        number = client.call("run", asked)["id"]
    await pilot.press("u")
    await until(lambda: app.model.run == number)
    await until(lambda: "ValueError: no rows came" in shown(pilot))
    await pilot.press("a", "y")
    await until(lambda: number + 1 in app.model.runs)
    await pilot.press("g")
    await until(lambda: f"again after run {number}" in shown(pilot))


async def test_what_an_asset_told_is_in_the_pane(daemon: Dev, pilot: Pilot[None]) -> None:
    began = time.time()
    with daemon.client() as client:
        client.call("run", {"location": "shop", "names": ["raw"], "wait": True})
    await pilot.press("u", "/", *"shop/raw", "enter")
    await until(lambda: "rows 3" in shown(pilot))
    document = top(pilot).model.shown_run
    assert document is not None
    assert document["queued"] >= began - 1


async def test_an_asset_is_made_with_a_parameter(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.press("n", *"raw", "space", *"rows=5")
    await until(lambda: "▸ shop/raw" in bar(app, "last"))
    await pilot.press("enter", "u", "g", "s")
    await until(lambda: "rows 5" in shown(pilot))
