"""A browser with the page in it: Debian's or another Chromium, driven by Playwright."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.conftest import ServedPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="no Chromium on this machine, or no Playwright",
)
PATIENCE = 60_000
"""Milliseconds for what must come to be seen."""
WIDE, NARROW = (1440, 900), (390, 844)


@contextmanager
def launched(*arguments: str) -> Iterator[Browser]:
    """A browser without a window. Playwright has to be there, and Chromium."""
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, *arguments])
        try:
            yield browser
        finally:
            browser.close()


class Shown:
    """A tab that has logged in by the link.

    `said`: what its console had to say. `asked`: the addresses that it asked for.
    """

    def __init__(
        self,
        browser: Browser,
        page: ServedPage,
        scheme: str = "light",
        size: tuple[int, int] = WIDE,
        **options: Any,
    ) -> None:
        """`options`: others of Playwright's context, such as `forced_colors`."""
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,  # type: ignore[arg-type]
            **options,
        )
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(PATIENCE)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.url = page.url
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(f"{page.url}#{page.token}")
        self.tab.locator(".live").wait_for()  # it knows what the daemon told

    def until(self, text: str) -> None:
        """Returns when that text is in the page."""
        self.tab.get_by_text(text).first.wait_for()

    def go(self, address: str) -> None:
        """Show the page of that address, which begins with `#`."""
        self.tab.goto(self.url + address)

    def close(self) -> None:
        self.context.close()
