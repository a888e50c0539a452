"""The alert rules and the dashboard in docs/monitoring fit the metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from codelocd.core.registry import Registry
from codelocd.daemon.metrics.exposition import Reading, exposed
from codelocd.daemon.metrics.tally import Tally
from codelocd.daemon.status import external
from codelocd.model import GrpcServer, LocationSpec

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian: apt install prometheus)"
)


def exposition(count: int, accepted: str = "") -> str:
    """What a daemon with so many locations can expose, every series of it."""
    entries = []
    tally = Tally()
    for name in (f"location {number}" for number in range(count)):
        spec = LocationSpec(name, GrpcServer("a", 1), Path("/"), "x")
        entries.append({**external(spec), "wanted": True, "memory": 1, "cpu": 0.5})
        tally.restarts[name, "crash"] = tally.loads[name, "served"] = tally.changes[name] = 1
        tally.last_good[name] = 1.0
        tally.reloads[name].add(0.3)
    tally.requests["status", "ok"] = 1
    tally.starts["fork"].add(0.3)
    tally.builds["built"].add(0.3)
    reading = Reading(tuple(entries), Registry(), tally, {}, {}, 1, 1, True)  # type: ignore[arg-type]
    return exposed(reading, accepted)[0].decode()


def names() -> set[str]:
    """Every series that a daemon can expose."""
    families = text_string_to_metric_families(exposition(1))
    return {sample.name for family in families for sample in family.samples}


def test_fifty_locations_are_read_back_as_they_were_written() -> None:
    accepted = "application/openmetrics-text; version=1.0.0"
    text, newer = exposition(50), exposition(50, accepted)
    for families in (
        text_string_to_metric_families(text),
        openmetrics_parser.text_string_to_metric_families(newer),
    ):
        found = {family.name: family.samples for family in families}
        states = found["codelocd_location_state"]
        assert len({sample.labels["location"] for sample in states}) == 50
        assert sum(sample.value for sample in states) == 50


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return found


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def named(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:codelocd|process)_\w+", expression))


def test_dashboard_and_alerts_ask_for_what_there_is() -> None:
    expressions = [*dashboard_expressions(), *(rule["expr"] for rule in alert_rules())]
    asked = set().union(*map(named, expressions))
    assert asked - names() == set()


def test_each_metric_is_described_and_each_description_is_of_a_metric() -> None:
    text = (MONITORING / "README.md").read_text()
    told = set(re.findall(r"`(codelocd_\w+)`", text))
    exposed_names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names()}
    assert told == {name for name in exposed_names if name.startswith("codelocd_")}


def test_every_alert_says_what_to_do_and_is_tried_out() -> None:
    tests = yaml.safe_load((MONITORING / "alerts.test.yml").read_text())["tests"]
    fired = {t["alertname"] for each in tests for t in each["alert_rule_test"] if "exp_alerts" in t}
    silent = {t["alertname"] for t in tests[0]["alert_rule_test"]}
    rules = alert_rules()
    assert fired == silent == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["annotations"].keys() == {"summary", "action"}


def test_no_two_panels_of_the_dashboard_have_one_place() -> None:
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    for one, other in combinations([panel["gridPos"] for panel in found], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)
    assert all(place["x"] + place["w"] <= 24 for place in (panel["gridPos"] for panel in found))


def promtool(*words: str | Path, cwd: Path = MONITORING, given: str = "") -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], cwd=cwd, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_alert_rules() -> None:
    promtool("check", "rules", "alerts.yml")


@needs_promtool
def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    promtool("test", "rules", "alerts.test.yml")


@needs_promtool
def test_promtool_accepts_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(dashboard_expressions())
    ]
    text = yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]})
    (tmp_path / "rules.yml").write_text(text)
    promtool("check", "rules", "rules.yml", cwd=tmp_path)


@needs_promtool
def test_promtool_accepts_the_metrics() -> None:
    promtool("check", "metrics", given=exposition(50))
