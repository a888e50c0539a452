"""Takes a picture of every page from a copy of examples/quickstart: `make screenshots`.

In both themes, and on a narrow screen. The two that the README shows go to docs/images, all
others to .cache/screenshots.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.daemons import Dev
from tests.ui.browser import NARROW, WIDE, Shown, launched
from tests.ui.conftest import serve

ROOT = Path(__file__).parents[2]
ALL, README = ROOT / ".cache" / "screenshots", ROOT / "docs" / "images"
IN_README = ("overview-light", "graph-dark")
PRINTS = """
for _number in range(40):
    _level = ("36mDEBUG", "32mINFO ", "33mWARN ", "1;31mERROR")[_number % 4]
    print(f"\\x1b[{_level}\\x1b[0m export {_number % 3 + 1}, row {_number * 37} read")
"""
PAGES = {
    "overview": "#/",
    "location-problem": "#/location/sales",
    "location-summary": "#/location/weather",
    "location-definitions": "#/location/sales/definitions",
    "location-output": "#/location/ingest/output",
    "location-events": "#/location/sales/events",
    "location-environment": "#/location/weather/environment",
    "location-timing": "#/location/sales/timing",
    "definition": "#/definition/sales/asset/revenue_by_customer",
    "definition-schedule": "#/definition/sales/schedule/every_morning",
    "definitions": "#/definitions",
    "graph": "#/graph",
    "graph-selected": "#/graph/sales/orders",
    "output": "#/output",
    "events": "#/events",
    "environments": "#/environments",
    "runs": "#/runs",
    "run": "#/runs/1",
    "run-output": "#/runs/1/output",
    "schedules": "#/runs/schedules",
}


class Story:
    """The example in a folder of its own, and the saves that the pictures show."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "quickstart"
        shutil.copytree(ROOT / "examples" / "quickstart", self.project)
        self.daemon = Dev(self.project, folder / "home", ("--tick",))
        self.sales = self.project / "sales" / "sales" / "definitions.py"
        self.ingest = self.project / "ingest.py"
        self.weather = self.project / "weather" / "weather" / "definitions.py"

    def save(self, location: str, source: Path, change: Callable[[str], str]) -> None:
        """Returns when the location serves what was saved, or says why it does not."""
        before = self.daemon.entry(location)

        def is_over(entry: dict[str, object]) -> bool:
            same = (entry["generation"], entry["problem"])
            return same != (before["generation"], before["problem"]) and not entry["reloading"]

        source.write_text(change(source.read_text()))
        self.daemon.until(location, is_over)

    def run(self, location: str, job: str) -> None:
        with self.daemon.client() as client:
            client.call("run", {"location": location, "names": [job], "wait": True})

    def tell(self) -> None:
        """Some minutes of somebody's work."""
        self.run("ingest", "read_exports")
        self.run("sales", "nightly")
        self.save("ingest", self.ingest, lambda text: text + PRINTS)
        for _ in range(6):
            self.save("sales", self.sales, lambda text: f"{text}# a note\n")
        self.save("weather", self.weather, lambda text: text + "\n")
        self.save("sales", self.sales, _with_returns)
        self.save("sales", self.sales, lambda text: text.replace("0 6 * * *", "30 5 * * *"))
        self.save("ingest", self.ingest, lambda text: f"import polars\n{text}")
        self.save("sales", self.sales, _broken)


def _broken(text: str) -> str:
    return text.replace("refunds(orders)", "refunds(orders")


def _with_returns(text: str) -> str:
    asset = '@asset(group="sales", kinds={"pandas"})\ndef refunds(orders):\n    """A new one."""\n'
    return text.replace("@asset_check", f"{asset}\n\n@asset_check").replace(
        "revenue_by_customer],\n    asset_checks",
        "revenue_by_customer, refunds],\n    asset_checks",
    )


def main() -> None:
    names = sys.argv[1:]
    for folder in (ALL, README):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, launched() as browser:
        story = Story(Path(home))
        try:
            story.daemon.until_serving("ingest", "sales", "weather")
            page = serve(story.daemon, Path(home), "--name", "quickstart")
            first = Shown(browser, page)
            story.tell()
            first.until("2 locations need attention")
            is_first = True  # it saw the saves, and knows the names of what they changed
            for scheme in ("light", "dark"):
                for size, mark in ((WIDE, ""), (NARROW, "-narrow")):
                    shown = first if is_first else Shown(browser, page, scheme, size)
                    is_first = False
                    for name, address in PAGES.items():
                        if not names or name in names:
                            take(shown, address, f"{name}{mark}-{scheme}")
                    print(*shown.said, sep="\n", end="")
                    shown.close()
            page.end()
        finally:
            story.daemon.stop()


def take(shown: Shown, address: str, name: str) -> None:
    """Show an address, and take a picture of it when nothing moves any more."""
    if name in IN_README:
        shown.tab.set_viewport_size({"width": 1280, "height": 720})
    shown.go(address)
    shown.tab.wait_for_load_state("networkidle")
    shown.tab.wait_for_timeout(400)
    folder = README if name in IN_README else ALL
    shown.tab.screenshot(path=folder / f"{name}.png", animations="disabled")
    if name in IN_README:
        shown.tab.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


if __name__ == "__main__":
    main()
