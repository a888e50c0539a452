"""The quickstart, as a newcomer sees it: three locations, three environments, one registry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemons import CODELOCD, DEADLINE, Dev, serving, stale

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
NAMES = ("ingest", "sales", "weather")
SOURCES = {"sales": "sales/sales/definitions.py", "weather": "weather/weather/definitions.py"}
MORE = {
    "sales": "\n@asset\ndef appended(): ...\ndefs = Definitions(assets=[appended])\n",
    "weather": "\n@dg.asset\ndef appended(): ...\ndefs = dg.Definitions(assets=[appended])\n",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("quickstart")
    project = folder / "quickstart"
    shutil.copytree(QUICKSTART, project)
    daemon = Dev(project, folder / "home", ())
    for name in NAMES:
        entry = daemon.until(name, lambda each: each["state"] in ("serving", "failed"))
        if entry["state"] == "failed" and entry["problem"]["kind"] == "environment":
            daemon.stop()
            pytest.skip(f"no package index in reach: {entry['problem']['summary']}")
    yield daemon
    daemon.stop()


def test_three_locations_serve_from_three_environments(demo: Dev) -> None:
    entries = demo.json("status")["locations"]
    assert [(each["name"], each["state"]) for each in entries] == [(n, "serving") for n in NAMES]
    assert len({each["environment"]["key"] for each in entries}) == 3
    assert [each["loader"] for each in entries] == ["native", "native", "dagster"]


def test_an_asset_of_ingest_is_joined_to_the_one_of_sales_that_depends_on_it(demo: Dev) -> None:
    document = demo.json("definitions")
    (edge,) = document["edges"]
    assert (edge["from"]["location"], edge["from"]["key"]) == ("ingest", ["raw_orders"])
    assert edge["to"]["location"] == "sales"
    assert document["conflicts"] == []


def test_the_dagster_project_is_listed_with_all_its_kinds(demo: Dev) -> None:
    found = {each["kind"] for each in demo.json("definitions", "weather")["definitions"]}
    assert found == {"asset", "asset_check", "job", "resource", "schedule", "sensor"}


def test_its_schedules_are_listed_and_dagsters_are_dagsters(demo: Dev) -> None:
    found = {
        f"{each['location']}/{each['name']}": each for each in demo.json("schedules")["schedules"]
    }
    own, dagsters = (
        found["ingest/each_minute"],
        [each for each in found.values() if each["location"] == "weather"],
    )
    assert (own["enabled"], own["why"]) == (False, "dev does not tick; start it with --tick")
    assert {each["kind"] for each in dagsters} == {"schedule", "sensor"}
    for each in dagsters:
        assert (each["ticks"], each["next"]) == (False, None)
        assert each["why"] == "Dagster's daemon ticks it"
        done = demo.cli("schedules", "start", f"weather/{each['name']}")
        assert done.returncode == 2
        assert "is Dagster's: switch it on Dagster's page" in done.stderr


def test_what_is_native_runs_and_what_is_asked_when_it_ticks_answers(demo: Dev) -> None:
    for words in (("sales/nightly",), ("ingest", "--select", "*"), ("ingest/read_exports",)):
        done = demo.cli("run", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    (check,) = demo.json("show", "sales/orders")["last_made"]["checks"]
    assert (check["name"], check["state"]) == ("amounts_are_positive", "passed")
    asking = "from ingest import defs; print([r.key for r in defs.evaluate('new_export').runs])"
    done = demo.cli("exec", "ingest", "--", "python", "-c", asking)
    assert (done.returncode, done.stdout) == (0, "['2026-01.csv']\n"), done.stderr


@pytest.mark.parametrize("name", ["sales", "weather"])
def test_an_edit_is_served_a_broken_one_is_not_and_its_repair_is(demo: Dev, name: str) -> None:
    source = demo.project / SOURCES[name]
    good = source.read_text()
    source.write_text(good + MORE[name])
    demo.until(name, lambda each: serving(each) and each["generation"] > 1)
    appended = {each["name"] for each in demo.json("definitions", name)["definitions"]}
    assert "appended" in appended

    source.write_text(good + "this is no python\n")
    demo.until(name, stale)
    assert "appended" in {d["name"] for d in demo.json("definitions", name)["definitions"]}
    line = good.count("\n") + 1
    assert f'definitions.py", line {line}' in demo.cli("show", name).stdout

    source.write_text(good)
    demo.until(name, serving)
    assert "appended" not in {d["name"] for d in demo.json("definitions", name)["definitions"]}


def test_a_second_start_builds_nothing(demo: Dev, tmp_path: Path) -> None:
    again = Dev(demo.project, tmp_path / "home", ())
    again.until_serving(*NAMES)
    origins = [each["environment"]["origin"] for each in again.json("status")["locations"]]
    again.stop()
    assert origins == ["reused"] * 3
    assert not any("installing" in line or "downloading" in line for line in again.printed)


def test_the_examples_own_folder_is_checked_without_a_daemon(demo: Dev) -> None:
    done = demo.cli("check", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0
    assert [(each["name"], each["ok"]) for each in document["locations"]] == [
        (name, True) for name in NAMES
    ]


def test_the_demo_ends_quietly_when_its_output_is_no_longer_read(demo: Dev) -> None:
    environ = demo.environ | {"XDG_RUNTIME_DIR": str(demo.project.parent / "other")}
    os.mkdir(environ["XDG_RUNTIME_DIR"], 0o700)
    environ["XDG_STATE_HOME"] = environ["XDG_RUNTIME_DIR"]
    process = subprocess.Popen(
        [CODELOCD, "dev"], cwd=demo.project, env=environ, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0
