"""The blocks of docs/operations.md, run on two machines that are folders: a backup of one becomes
the other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import CACHE, CODELOCD, DEADLINE, failed, native, serving, stale
from tests.end_to_end.daemons import Reached as ReachedDaemon

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
needs_programs = pytest.mark.skipif(
    sys.platform != "linux" or not all(map(shutil.which, ("bash", "curl", "tar"))),
    reason="the page is for Linux, with bash, curl and tar",
)

CONFIG = """
[location.sales]
python_file = "{root}/srv/sales.py"

[location.web]
python_file = "{root}/srv/web.py"

[location.models]
python_file = "{root}/srv/models.py"
"""

STAND_INS = {
    "sudo": 'exec "$@"\n',
    "codelocd": """[ "$1" = --system ] && shift
{codelocd} "$@"
status=$?
case $1-$status in status-1|doctor-1) exit 0;; esac  # what they tell of is part of the story
exit $status
""",
    "systemctl": """case $1 in
start) {codelocd} serve --user -c {root}/etc/codelocd/codelocd.toml >> {root}/log 2>&1 &
    {codelocd} status > /dev/null 2>&1
    while [ $? = 3 ]; do sleep 0.1; {codelocd} status > /dev/null 2>&1; done;;
stop) {codelocd} shutdown;;
esac
exit 0
""",
    "pip": "",
}


class Machine(ReachedDaemon):
    """A machine whose root is a folder; `sudo`, `systemctl` and pip are played."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for each in ("etc/codelocd", "var/lib/codelocd", "run/codelocd", "srv", "stand-ins"):
            (root / each).mkdir(parents=True, mode=0o700)
        (root / "opt" / "codelocd").mkdir(parents=True)
        (root / "opt" / "codelocd" / "bin").symlink_to(root / "stand-ins")
        for name, text in STAND_INS.items():
            script = root / "stand-ins" / name
            script.write_text(f"#!/bin/bash\n{text.format(codelocd=CODELOCD, root=root)}")
            script.chmod(0o755)
        hidden = ("VIRTUAL_ENV", "CONDA_PREFIX", "NOTIFY_SOCKET")
        kept = {name: text for name, text in os.environ.items() if name not in hidden}
        self.environ = kept | {
            "PATH": f"{root / 'stand-ins'}{os.pathsep}{os.environ['PATH']}",
            "RUNTIME_DIRECTORY": str(root / "run" / "codelocd"),
            "STATE_DIRECTORY": str(root / "var" / "lib" / "codelocd"),
            "XDG_DATA_HOME": str(CACHE),
            "CODELOCD_SOCKET": str(root / "run" / "codelocd" / "control.sock"),
        }

    def run(self, block: str) -> str:
        """What it prints; each command has to end with 0."""
        here = re.sub(r"(?<![\w.])/(etc|var|run|opt)/", rf"{self.root}/\1/", block)
        here = here.replace("-C /", f"-C {self.root}/")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", here],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            text=True,
            capture_output=True,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, f"{here}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def client(self) -> Any:
        from codelocd.client import Client

        return Client(self.environ["CODELOCD_SOCKET"], timeout=DEADLINE)

    def registry(self) -> Any:
        with self.client() as client:
            document = client.call("definitions")
        del document["revision"]
        return json.loads(re.sub(f"{self.root.parent}/(one|two)", "", json.dumps(document)))


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    found = Machine(tmp_path / "one"), Machine(tmp_path / "two")
    yield found
    for machine in found:
        machine.run("systemctl stop codelocd")


def until_backup() -> list[str]:
    (at,) = (number for number, block in enumerate(BLOCKS) if "tar --exclude" in block)
    return BLOCKS[:at]


@needs_programs
def test_a_backup_becomes_the_same_registry_with_the_same_stopped_locations_elsewhere(
    machines: tuple[Machine, Machine],
) -> None:
    one, two = machines
    for name in ("sales", "web", "models"):
        (one.root / "srv" / f"{name}.py").write_text(native(f"{name}_a", f"{name}_b"))
    (one.root / "etc/codelocd/codelocd.toml").write_text(CONFIG.format(root=one.root))
    daily = until_backup()
    for block in daily:
        one.run(block)
    one.until_serving("sales", "web", "models")
    one.run("codelocd stop models")
    (one.root / "srv" / "web.py").write_text("def broken(")
    one.until("web", stale)
    (one.root / "var/lib/codelocd/store").mkdir(exist_ok=True)
    backup, *later = BLOCKS[len(daily) :]
    one.run(backup)
    before = one.registry()

    with tarfile.open(one.root / "codelocd.tgz") as archive:
        assert not [name for name in archive.getnames() if "/store" in name or "/serving" in name]
    shutil.copytree(one.root / "srv", two.root / "srv", dirs_exist_ok=True)
    shutil.copy(one.root / "codelocd.tgz", two.root)
    restore, *others = later
    config = "etc/codelocd/codelocd.toml"
    moved = f"sed -i s:{one.root}:{two.root}:g {config}\n"  # where its code is, on this machine
    two.run(restore.replace("sudo codelocd config", f"{moved}sudo codelocd config"))
    two.until("sales", serving)
    two.until("web", failed)

    assert two.registry() == before
    assert {each["name"] for each in before["definitions"] if each["location"] == "web"} == {
        "web_a",
        "web_b",
    }
    assert two.entry("models")["state"] == "stopped"
    assert not two.entry("models")["wanted"]
    assert two.run("codelocd events models").count("stopped") >= 1
    for block in others:
        two.run(block)
