"""Chooses the lines of Dagster's own processes that `codelocd dev` shows. Pure."""

from __future__ import annotations

import re

from codelocd.render.journal import COLOURING

HELPERS = ("dagster-webserver", "dagster-daemon")

ADDRESS = "Dagster's UI: "
"""What codelocd says beside the webserver's own lines when the page is open."""

OURS = ("Dagster's ", "not in Dagster's UI: ")
"""The beginnings of codelocd's own lines there that stay on the screen."""

PROGRESS = "environment: "
"""The beginning of the lines about the build of the webserver's environment."""

LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*? - (?P<level>[A-Z]+) - ")
"""How Dagster's console logger begins a line (dagster._utils.log)."""

QUIET_LEVELS = ("DEBUG", "INFO")

BANNER = re.compile(r"\s*Telemetry:\s*$")
"""The first line of Dagster's note on telemetry; what follows is of it up to a logged line."""


class HelperLines:
    """Remembers of each process whether its last line was shown: the lines after it may belong to
    it."""

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._hidden: set[str] = set()

    def heard(self, name: str, text: str) -> tuple[str, bool]:
        """The line, empty where it is in the way; whether it stays, or is of the moment."""
        if self._everything:
            return text, True
        plain = COLOURING.sub("", text)
        if plain.startswith(PROGRESS):
            return f"Dagster's UI {plain}", False
        if plain.startswith((*OURS, "Traceback ")):
            self._hidden.discard(name)
        elif BANNER.match(plain):
            self._hidden.add(name)
        elif found := LOGGED.match(plain):
            hidden = found["level"] in QUIET_LEVELS
            (self._hidden.add if hidden else self._hidden.discard)(name)
        return ("", False) if name in self._hidden or not plain.strip() else (text, True)
