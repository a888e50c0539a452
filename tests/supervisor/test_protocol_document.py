"""What docs/protocol.md says is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon.event_history import HISTORY_BYTES
from codelocd.daemon.subscriptions import BACKLOG, SUBSCRIPTIONS, TOPICS
from codelocd.documents import answers, definitions, events, locations, releases, runs
from codelocd.rpc.errors import KINDS
from codelocd.rpc.requests import HEARD
from codelocd.storage.log_lines import LINE_BYTES
from tests.shapes import faults, keys

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
READING = {"hello", "status", "definitions", "show", "logs", "events", "environments", "call"}
ORDERING = {
    "start",
    "stop",
    "restart",
    "reload",
    "apply",
    "upgrade",
    "shutdown",
    "subscribe",
    "unsubscribe",
}


def first_column(heading: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    section = DOCUMENT.split(f"\n{heading}\n")[1].split("\n#")[0]
    cells = re.findall(r"^\| ((?:`\w+`[ ,]*)+)\|", section, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"\w+", cell)}


@pytest.mark.parametrize(("bound", "value"), asdict(HEARD).items())
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


EXAMPLES: dict[str, Any] = {
    "hello": answers.Hello,
    "status": locations.StatusDocument,
    "definitions": definitions.DefinitionsDocument,
    "start, stop, restart, reload": answers.ActionOutcomes,
    "call": answers.CallResult,
    "stacks": answers.StacksDocument,
    "logs": answers.LogsDocument,
    "events, the method": answers.EventsDocument,
    "run, run_retry": runs.NewRun,
    "run_logs": runs.RunLogsDocument,
    "environments": list[answers.EnvironmentDocument],
    "releases": releases.ReleasesDocument,
    "Sending a release": releases.ReleaseUpload,
    "deploy, rollback": releases.DeployOutcome,
    "apply": answers.AppliedConfig,
    "Blocks of lines": locations.LogBlock,
}
"""By heading, the type of the documents that are shown below it."""


@pytest.mark.parametrize("heading", EXAMPLES)
def test_every_example_has_all_keys_of_its_type_and_no_others(heading: str) -> None:
    section = re.split("\n##", DOCUMENT.split(f"\n### {heading}\n")[1])[0]
    examples = re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL)
    assert examples
    for example in examples:
        assert faults(json.loads(example), EXAMPLES[heading]) == []


KINDS_OF_DEFINITIONS: dict[str, Any] = {
    "asset": definitions.ListedAsset,
    "asset_check": definitions.ListedCheck,
    "job": definitions.ListedJob,
    "schedule": definitions.ListedSchedule,
    "sensor": definitions.ListedSensor,
    "resource": definitions.ListedResource,
}


@pytest.mark.parametrize("kind", KINDS_OF_DEFINITIONS)
def test_every_key_of_a_definition_is_described(kind: str) -> None:
    section = DOCUMENT.split("\n### definitions\n")[1].split("\n### ")[0]
    described = set(re.findall(r"`(\w+)`", section)) | set(re.findall(r'"(\w+)":', section))
    assert keys(KINDS_OF_DEFINITIONS[kind]) <= described


@pytest.mark.parametrize(
    ("heading", "shape"),
    [
        ("show", locations.LocationAccount),
        ("show", definitions.Relations),
        ("show", definitions.LastMadeDocument),
        ("status", locations.DagsterStatus),
        ("status", locations.ConfigDocument),
        ("status", locations.LocationStatus),
        ("status", locations.DaemonStatus),
        ("command", answers.CommandDocument),
    ],
)
def test_every_key_of_a_part_is_described(heading: str, shape: Any) -> None:
    section = DOCUMENT.split(f"\n### {heading}\n")[1].split("\n### ")[0]
    assert keys(shape) <= set(re.findall(r"[`\"](\w+)[`\"]", section))


@pytest.mark.parametrize(
    ("topic", "shape"),
    [("definitions", events.DefinitionsNews), ("builds", events.BuildStep)],
)
def test_every_key_of_an_event_is_described(topic: str, shape: Any) -> None:
    (row,) = re.findall(rf"^\| `{topic}` \| (`\{{\"location\".*)$", DOCUMENT, flags=re.MULTILINE)
    assert keys(shape) <= set(re.findall(r'"(\w+)"', row))


@pytest.mark.parametrize("module", ["codelocd.cli.status", "codelocd.daemon.service"])
def test_only_type_checkers_read_the_types_of_documents(module: str) -> None:
    """Their import would take milliseconds of every command."""
    program = f"import sys, {module}; print([name for name in sys.modules if 'documents' in name])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")
