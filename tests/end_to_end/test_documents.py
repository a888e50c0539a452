"""What a real daemon says has the shapes that `codelocd.documents` declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codelocd.documents import answers, definitions, events, locations, releases
from codelocd.releases.manifest import TreeEntry, TreeManifest
from tests.end_to_end.daemons import StartDev, failed, serving
from tests.shapes import faults

NO_CHANGE = TreeManifest([TreeEntry("sales.py", "0" * 64)]).encoded
METHODS: list[tuple[str, dict[str, Any], Any]] = [
    ("hello", {}, answers.Hello),
    ("status", {}, locations.StatusDocument),
    ("definitions", {}, definitions.DefinitionsDocument),
    ("show", {"location": "sales"}, locations.ShownLocation),
    ("show", {"location": "broken"}, locations.ShownLocation),
    ("show", {"location": "sales", "name": "orders"}, definitions.ShownAsset),
    ("show", {"location": "sales", "name": "db"}, definitions.ListedResource),
    ("reload", {"locations": ["sales"]}, answers.ActionOutcomes),
    ("call", {"location": "sales", "method": "ping"}, answers.CallResult),
    ("stacks", {"location": "sales"}, answers.StacksDocument),
    ("command", {"location": "sales"}, answers.CommandDocument),
    ("logs", {}, answers.LogsDocument),
    ("events", {}, answers.EventsDocument),
    ("environments", {}, list[answers.EnvironmentDocument]),
    ("releases", {}, releases.ReleasesDocument),
    ("release_upload", {"location": "sales", "manifest": NO_CHANGE}, releases.ReleaseUpload),
    ("deploy", {"location": "sales", "in_place": True}, releases.DeployOutcome),
    ("stop", {"locations": ["sales"]}, answers.ActionOutcomes),
    ("status", {}, locations.StatusDocument),
]
ALL_KINDS = """
from codeloc import Definitions, asset, asset_check, job, schedule, sensor

print("loading", flush=True)

@asset
def raw(): ...

@asset
def orders(raw, db): ...

@asset_check(asset="orders")
def not_empty(orders): ...

@job
def refresh(db): ...

@schedule(cron="0 6 * * *", job="refresh")
def daily(context): ...

@sensor(job="refresh")
def on_file(context): ...

defs = Definitions(
    assets=[raw, orders], asset_checks=[not_empty], jobs=[refresh], schedules=[daily],
    sensors=[on_file], resources={"db": 1},
)
"""


def test_every_answer_and_event_has_its_declared_shape(project: Path, dev: StartDev) -> None:
    (project / "sales.py").write_text(ALL_KINDS)
    (project / "broken.py").write_text("1 / 0")
    daemon = dev("-f", "sales.py", "-f", "broken.py")
    with daemon.client() as subscriber:
        topics = ["status", "definitions", "logs", "builds", "usage"]
        heard = subscriber.subscribe(topics)
        daemon.until("sales", serving)
        daemon.until("broken", failed)
        with daemon.client() as client:
            for method, params, shape in METHODS:
                assert faults(client.call(method, params), shape, method) == []
        for event in heard:
            assert faults(event, events.TopicEvent, event["topic"]) == []
            data = event["data"]
            if (
                event["topic"] == "status"
                and "event" in data
                and "location" in data
                and data["event"]["event"] == "stopped"
            ):
                break
