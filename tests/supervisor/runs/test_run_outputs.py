"""What is kept of the output of runs."""

from __future__ import annotations

from pathlib import Path

from codelocd.daemon.runs.output import FILE_BYTES, KEPT_BYTES, RunOutputs
from codelocd.daemon.subscriptions import Hub
from codelocd.runs.model import RunId

LARGEST = 8 * 1000 * 1000
"""Bytes of one run on the disk, as docs/operations.md has it."""


def test_of_a_run_that_floods_the_newest_output_is_kept(tmp_path: Path) -> None:
    outputs = RunOutputs(Hub("an instance"), tmp_path)
    output = outputs.of(RunId(17), 1, "sales")
    piece = 250 * 1000
    for number in range(4 * FILE_BYTES // piece):
        output("stdout", (str(number).rjust(99, ".") + "\n").encode() * (piece // 100))
    output("stdout", b"the last word\n")
    output("stdout", b"")
    outputs.ended(RunId(17))
    last = outputs.logs.lines(["17"], 1)
    outputs.logs.close()
    assert [line.text for line in last] == ["the last word"]
    assert FILE_BYTES + KEPT_BYTES <= LARGEST
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= LARGEST
