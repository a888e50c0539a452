"""What docs/protocol.md says is so."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from codelocd.daemon.subscriptions import BACKLOG, HISTORY_BYTES, SUBSCRIPTIONS, TOPICS
from codelocd.rpc.errors import KINDS
from codelocd.rpc.requests import Limits
from codelocd.storage.log_lines import LINE_BYTES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
READING = {"hello", "status", "definitions", "show", "logs", "events", "environments", "call"}
ORDERING = {"start", "stop", "restart", "reload", "apply", "shutdown", "subscribe", "unsubscribe"}


def first_column(heading: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    section = DOCUMENT.split(f"\n{heading}\n")[1].split("\n#")[0]
    cells = re.findall(r"^\| ((?:`\w+`[ ,]*)+)\|", section, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"\w+", cell)}


@pytest.mark.parametrize(("bound", "value"), asdict(Limits()).items())
def test_every_bound_is_told(bound: str, value: int) -> None:
    assert re.search(rf"^\| `{bound}` \| {value}\b", DOCUMENT, flags=re.MULTILINE)


def test_every_kind_of_error_is_explained() -> None:
    assert first_column("## Errors") >= set(KINDS)


def test_every_method_is_described() -> None:
    assert first_column("## Methods of the daemon") >= READING | ORDERING
    runner = first_column("## Methods of a runner")
    assert runner >= {"hello", "ping", "snapshot", "describe", "stacks", "stop"}


def test_every_topic_is_described() -> None:
    assert first_column("## Events") >= set(TOPICS)


def test_the_numbers_are_those_of_the_code() -> None:
    assert (BACKLOG, HISTORY_BYTES) == (1 << 20, 8 << 20)
    assert f"may have up to {SUBSCRIPTIONS}" in DOCUMENT
    assert LINE_BYTES == 64 << 10


def test_every_link_within_the_document_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", DOCUMENT, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
    assert set(re.findall(r"\(#([^)]+)\)", DOCUMENT)) <= anchors
