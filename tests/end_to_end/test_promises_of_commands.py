"""What docs/reliability.md promises of commands, each test named after its number."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import CODELOCD, DEADLINE, Service, native, serving

LOG = '[daemon]\nlog_format = "json"\n'


class Commands:
    """A service of three locations, and the commands that speak to it."""

    def __init__(self, project: Path, home: Path) -> None:
        self.config = project / "codelocd.toml"
        for name in ("a", "b", "c", "d"):
            (project / f"{name}.py").write_text(native("one"))
        self.save(a="", b="", c="")
        self.service = Service(project, home)
        self.service.told(b"READY=1")
        self.service.until_serving("a", "b", "c")

    def save(self, **tables: str) -> None:
        found = [
            f'[location.{name}]\npython_file = "{name}.py"\n{more}\n'
            for name, more in tables.items()
        ]
        self.config.write_text(LOG + "".join(found))

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [CODELOCD, *arguments]
        return subprocess.run(
            command, env=self.service.environ, capture_output=True, text=True, timeout=DEADLINE
        )

    def pids(self) -> dict[str, int]:
        return {each["name"]: each["pid"] for each in self.service.status()["locations"]}


@pytest.fixture
def commands(project: Path, tmp_path: Path) -> Iterator[Commands]:
    found = Commands(project, tmp_path)
    yield found
    found.service.stop()


def test_promise_22_apply_restarts_what_changed_alone_and_a_broken_config_changes_nothing(
    commands: Commands,
) -> None:
    before = commands.pids()
    commands.save(a='env = { TOKEN = "s3cret" }', b='stop_timeout = "5s"', c="", d="")
    planned = (
        "+ d added\n"
        '~ a reloaded: env.TOKEN none → "(not shown)"\n'
        "~ b adjusted: stop_timeout 10.0 → 5.0\n"
    )
    dry = commands.cli("apply", "--dry-run")
    assert (dry.stdout, dry.returncode) == (planned, 0)
    document = json.loads(commands.cli("apply", "--dry-run", "--json").stdout)
    assert document["changes"] == {
        "a": {"env.TOKEN": [None, "(not shown)"]},
        "b": {"stop_timeout": [10.0, 5.0]},
    }
    assert "s3cret" not in str(document)
    assert commands.pids() == before

    done = commands.cli("apply")
    assert (done.stdout, done.returncode) == (planned, 0)
    commands.service.until("a", lambda a: serving(a) and a["generation"] == 2)
    commands.service.until_serving("d")
    after = commands.pids()
    assert after["a"] != before["a"]
    assert (after["b"], after["c"]) == (before["b"], before["c"])

    commands.config.write_text(LOG + '[location.a]\npython_fil = "a.py"\n')
    refused = commands.cli("apply")
    assert (refused.returncode, refused.stdout) == (2, "")
    told = [line for line in refused.stderr.splitlines() if line.startswith("codelocd: ")]
    assert told[0].startswith(f"codelocd: {commands.config}:3: location.a: names no code")
    assert commands.pids() == after
