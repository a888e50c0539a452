"""Tables in real terminals of 60, 80 and 200 columns."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from codelocd.render.text import columns
from codelocd.rpc.errors import RpcError
from tests.supervisor.cli.fake_control import LOCATION, PROBLEM, FakeDaemon, Shell, status_document
from tests.supervisor.cli.terminal import terminal

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed: there is no terminal to look at"
)

WIDTHS = (60, 80, 200)
NARROW = (60, *(pytest.param(width, marks=pytest.mark.slow) for width in (80, 200)))


def failed(name: str) -> LocationStatus:
    return {
        **LOCATION,
        "name": name,
        "state": "failed",
        "pid": None,
        "uptime": None,
        "problem": PROBLEM,
    }


LOCATIONS: list[LocationStatus] = [
    {**LOCATION, "name": "ingest"},
    {**LOCATION, "name": "売上の場所", "stale": True, "problem": PROBLEM},
    failed("a_location_with_a_long_name_of_its_own"),
]
SHOWN = {
    60: ["NAME", "STATE", "PROBLEM"],
    80: ["NAME", "STATE", "UPTIME", "MEMORY", "PROBLEM"],
    200: ["NAME", "STATE", "UPTIME", "RESTARTS", "DEFINITIONS", "ENVIRONMENT", "PYTHON", "PID",
          "MEMORY", "CPU", "PROBLEM"],
}  # fmt: skip


def definition(name: str, kind: str, **more: Any) -> dict[str, Any]:
    source = {"file": "/home/somebody/shop/sales/definitions.py", "line": 12}
    where = {"location": "sales", "repository": "__repository__", "source": source}
    return {**where, "name": name, "kind": kind, **more}


DEFINITIONS = {
    "revision": 7,
    "definitions": [
        definition("mart/" + "orders_of_all_customers" * 2, "asset", deps=[["raw"], ["other"]]),
        definition("every_morning", "schedule", cron="0 6 * * *", job="nightly"),
    ],
    "edges": [],
    "conflicts": [],
}
ENVIRONMENT = {
    "key": "0123456789abcdef",
    "path": "/home/somebody/.local/share/codelocd/environments/0123456789abcdef",
    "python": "3.12.1",
    "packages": ["pandas==2.2.0"],
    "size": 2048,
    "used_by": ["sales", "weather"],
    "last_used": 1700000000.0,
    "created": 1700000000.0,
}
EVENT = {
    "seq": 12,
    "at": 1700000000.0,
    "location": "sales",
    "event": "load-failed",
    "before": "starting",
    "after": "failed",
    "generation": 3,
    "detail": "ImportError: " + "no module named " * 20,
    "attempt": None,
    "by": None,
    "timing": None,
    "added": None,
    "changed": None,
    "removed": None,
}


@pytest.mark.parametrize("width", WIDTHS)
def test_status_is_one_line_per_location_with_trouble_first(
    project: Shell, daemon: FakeDaemon, width: int
) -> None:
    daemon.answers["status"] = lambda _: status_document(*LOCATIONS)
    with terminal(project, width, 24, "status") as shown:
        lines = shown.until(lambda lines: "ended: 1" in lines)
    table = lines[: lines.index("ended: 1")]
    assert table[0].split() == SHOWN[width]
    begins = ["NAME", "売上", "a_location", "ingest"]
    assert [line.startswith(begin) for line, begin in zip(table, begins, strict=True)] == [True] * 4
    assert max(map(columns, table)) <= width
    state_at = columns(table[0].partition("STATE")[0])
    cells = [columns(line[: line.index("serving")]) for line in (table[1], table[3])]
    assert cells == [state_at, state_at]


@pytest.mark.parametrize("width", NARROW)
def test_the_other_tables_are_one_line_per_row(
    project: Shell, daemon: FakeDaemon, width: int
) -> None:
    daemon.answers["definitions"] = lambda _: DEFINITIONS
    daemon.answers["environments"] = lambda _: [ENVIRONMENT]
    daemon.answers["events"] = lambda _: {"events": [EVENT, EVENT]}
    for words, rows, first in (
        (("definitions",), 3, "NAME"),
        (("env", "list"), 2, "KEY"),
        (("events",), 2, "load-failed"),
    ):
        with terminal(project, width, 24, *words) as shown:
            lines = shown.until(lambda lines: "ended: 0" in lines)
        assert lines.index("ended: 0") == rows
        assert first in lines[0]


def test_a_pipe_gets_the_whole_table(project: Shell, daemon: FakeDaemon) -> None:
    daemon.answers["status"] = lambda _: status_document(*LOCATIONS)
    titles, *rows = project.run("status").stdout.splitlines()
    assert titles.split() == SHOWN[200]
    assert rows[0].endswith(f"load: {PROBLEM['summary']}")
    assert rows[1].startswith("a_location_with_a_long_name_of_its_own  failed")


def test_watch_has_a_screen_of_its_own_and_gives_it_back(
    project: Shell, daemon: FakeDaemon
) -> None:
    names = [f"location-{n:02}" for n in range(30)]
    entries: list[LocationStatus] = [{**LOCATION, "name": name} for name in names]
    daemon.answers["status"] = lambda _: status_document(*entries)
    with terminal(project, 80, 30, "status", "--watch") as shown:
        lines = shown.until(lambda lines: names[29] in lines[-1])
        assert lines[0].startswith("codelocd ")
        assert lines[0].endswith("30 locations: 30 serving  CPU 900%, memory 900 MiB")
        assert len(lines) == 30
        assert all(any(name in line for line in lines) for name in names)
        entries[29] = failed(names[29])
        lines = shown.until(lambda lines: lines[2].startswith(names[29]))
        assert lines[0].endswith("30 locations: 29 serving, 1 failed  CPU 900%, memory 900 MiB")
        assert shown.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"
        shown.press("C-c")
        lines = shown.until(lambda lines: "ended: 130" in lines)
        assert lines[0] == "ended: 130"
        assert shown.tmux("display-message", "-p", "#{alternate_on}#{cursor_flag}").strip() == "01"


def test_watch_gives_the_screen_back_when_it_fails(project: Shell, daemon: FakeDaemon) -> None:
    with terminal(project, 60, 10, "status", "--watch") as shown:
        shown.until(lambda lines: "1 location: 1 serving" in lines[0])
        daemon.answers["status"] = lambda _: RpcError("unknown", "the location is gone")
        lines = shown.until(lambda lines: "ended: 4" in lines)
    assert lines[0] == "codelocd: the location is gone"


@pytest.mark.parametrize("width", NARROW)
def test_dev_leaves_one_line_per_location_when_all_have_started(shell: Shell, width: int) -> None:
    code = "from codeloc import Definitions, asset\n@asset\ndef orders(): ...\n"
    (shell.folder / "defs.py").write_text(f"{code}defs = Definitions(assets=[orders])\n")
    tables = [f'[location.{name}]\npython_file = "defs.py"\n' for name in ("one", "two")]
    environment = f'[defaults]\nenvironment = {{ path = "{sys.prefix}" }}\n'
    (shell.folder / "codelocd.toml").write_text(environment + "".join(tables))
    with terminal(shell, width, 24, "dev") as shown:
        lines = shown.until(lambda lines: any("2 locations serving after" in x for x in lines))
        shown.press("C-c")
        shown.until(lambda lines: "ended: 0" in lines)
    told = [line for line in lines if "●" in line]
    assert sorted(line.partition(", after")[0] for line in told) == [
        "one ● serving: 1 asset",
        "two ● serving: 1 asset",
    ]
    assert not [line for line in lines if "building" in line or "starting" in line]


SLOW = """
import pathlib, time

def build_wheel(directory, config_settings=None, metadata_directory=None):
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    raise SystemExit("no compiler")
"""


def test_a_check_says_what_is_being_built_as_long_as_it_is(shell: Shell) -> None:
    lib = shell.folder / "lib"
    lib.mkdir()
    (lib / "backend.py").write_text(SLOW)
    (lib / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "lib"\ndynamic = ["version"]\n'
    )
    (shell.folder / "requirements.txt").write_text("./lib\n")
    (shell.folder / "defs.py").touch()
    with terminal(shell, 100, 30, "check", "-f", "defs.py") as shown:
        shown.until(lambda lines: any("defs: resolving" in line for line in lines))
        (lib / "go").touch()
        ended = shown.until(lambda lines: any(line.startswith("ended: ") for line in lines))
    assert any("lib could not be built from source" in line for line in ended)
    assert not any("resolving" in line or "building" in line for line in ended), ended
    assert "resolving" not in shell.run("check", "-f", "defs.py").stderr
