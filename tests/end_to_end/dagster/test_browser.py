"""Dagster's UI in a real browser, before and after a save."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
SOURCE = "import dagster as dg\n@dg.asset\ndef {0}(): ...\ndefs = dg.Definitions(assets=[{0}])\n"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # https://www.w3.org/TR/webdriver2/#elements

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DRIVER and BROWSER), reason="no chromium with chromedriver to look at it"
    ),
]


class Browser:
    """A headless one, driven by W3C WebDriver."""

    def __init__(self, port: int) -> None:
        self.port = port
        options = {
            "binary": BROWSER,
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"],
        }
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        self.path = ""
        opened = self.ask("POST", "/session", {"capabilities": capabilities})
        self.path = f"/session/{opened['sessionId']}"

    def ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(verb, self.path + path, json.dumps(body) if body else None)
            return json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})

    def shows(self, text: str) -> bool:
        """Whether the text can be seen, not only whether it is somewhere on the page."""
        query = {"using": "xpath", "value": f"//*[text()='{text}']"}
        found = self.ask("POST", "/elements", query)
        return any(self.ask("GET", f"/element/{each[ELEMENT]}/displayed") for each in found)

    def click(self, text: str) -> bool:
        """Whether there was something with that text to click on."""
        query = {"using": "xpath", "value": f"//button[normalize-space()='{text}']"}
        for each in self.ask("POST", "/elements", query):
            self.ask("POST", f"/element/{each[ELEMENT]}/click", {"id": each[ELEMENT]})
            return True
        return False

    def screenshot(self, path: Path) -> bytes:
        picture = base64.b64decode(self.ask("GET", "/screenshot"))
        path.write_bytes(picture)
        return picture

    def close(self) -> None:
        self.ask("DELETE", "")


Start = Callable[[Callable[[Callable[[], Browser]], Browser]], Browser]


@pytest.fixture
def browser(tmp_path: Path, unused_port: Callable[[], int]) -> Iterator[Start]:
    assert DRIVER is not None
    port = unused_port()
    log = (tmp_path / "chromedriver.log").open("wb")
    process = subprocess.Popen([DRIVER, f"--port={port}"], stdout=log, stderr=log)

    opened: list[Browser] = []

    def start(until: Callable[[Callable[[], Browser]], Browser]) -> Browser:
        opened.append(until(lambda: Browser(port)))
        return opened[-1]

    yield start
    for each in opened[-1:]:
        each.close()
    process.terminate()
    process.wait(30)
    log.close()


def test_a_save_is_seen_on_the_open_page_without_a_click(project, declare, page, browser, tmp_path):
    declare(shop="newest")
    (project / "shop.py").write_text(SOURCE.format("before_the_save"))
    shown = page("shop")
    window = browser(shown.until)
    window.open(f"http://127.0.0.1:{shown.port}/assets")
    shown.until(lambda: window.click("Skip"))  # Dagster's welcome to a newcomer
    shown.until(lambda: window.shows("before_the_save") and not window.shows("Skip"))
    pictures = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    before = window.screenshot(pictures / "before.png")

    (project / "shop.py").write_text(SOURCE.format("after_the_save"))
    shown.until(lambda: window.shows("after_the_save"))
    after = window.screenshot(pictures / "after.png")
    assert before.startswith(b"\x89PNG")
    assert after != before
    assert not window.shows("before_the_save")
