"""What attempts print: in logs of their own, and to subscribers of `run_logs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.daemon.subscriptions import Hub
from codelocd.model import Output
from codelocd.storage.log_lines import Block
from codelocd.storage.logs import Logs

if TYPE_CHECKING:
    from codelocd.documents.locations import DroppedOutput, RunLogBlock
    from codelocd.runs.model import RunId

LOGS_OF_RUNS = "runs"
FILE_BYTES = KEPT_BYTES = 4 * 1000 * 1000
"""Of one run: the newest of its output as text, and what is older, compressed. There are many runs,
and the end of what one printed is what says how it ended."""
TOLD = 5
"""Runs that have ended of which it is remembered that output was lost."""


class RunOutputs:
    """`logs` has the runs by their numbers, as texts, where others have locations; the generation
    of a line is the number of the attempt."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self._hub = hub
        self._locations: dict[str, str] = {}
        self._dropped: dict[str, DroppedOutput] = {}
        self.logs = Logs(
            folder,
            follow=self._printed,
            file_bytes=FILE_BYTES,
            kept_bytes=KEPT_BYTES,
            name=LOGS_OF_RUNS,
        )

    def of(self, run: RunId, attempt: int, location: str) -> Output:
        """Where the output of an attempt goes."""
        self._locations[str(run)] = location
        return self.logs.output(str(run), attempt)

    def ended(self, run: RunId) -> None:
        """An attempt has ended, and all that it printed has come: its files have it."""
        self._locations.pop(str(run), None)
        self._dropped = dict([*self.dropped.items()][-TOLD:])
        self.logs.forget(str(run))

    @property
    def dropped(self) -> dict[str, DroppedOutput]:
        """By run: how many bytes of its output could not be written, and why."""
        return {**self._dropped, **self.logs.dropped}

    def _printed(self, block: Block) -> None:
        location = self._locations.get(block.location)
        if location is None:  # of one that ended before this daemon began
            return

        def document() -> RunLogBlock:
            run, attempt = int(block.location), block.generation
            return {**block.document(), "location": location, "run": run, "attempt": attempt}

        self._hub.publish_block("run_logs", len(block.texts), document, location)
