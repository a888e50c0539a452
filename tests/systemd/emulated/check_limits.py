"""Runs in the machine: starts the service with locations that need more than they may have, and
prints one line of what became of it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

PATIENCE = 1200.0
GOOD = (
    "from codeloc import Definitions, asset\n@asset\ndef a(): ...\ndefs = Definitions(assets=[a])\n"
)
PATIENT = '[defaults]\nstart_timeout = "1h"\nping_timeout = "1h"\n'
DROP_IN = "/etc/systemd/system/codelocd.service.d/patient.conf"
"""An emulated processor may take its time."""
LOCATIONS = {
    "sales": ("", ""),
    "hungry": ("held = [bytearray(1024 * 1024) for _ in range(500)]\n", 'memory_limit = "100MiB"'),
    "crowded": (
        "import os, time\nfor _ in range(100):\n    if not os.fork():\n        time.sleep(600)\n",
        "tasks_limit = 40",
    ),
}


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def locations() -> dict[str, dict[str, Any]]:
    text = said("/opt/codelocd/bin/codelocd", "--system", "status", "--json")
    return {each["name"]: each for each in json.loads(text)["locations"]} if text else {}


def states(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: each["state"] for name, each in found.items()}


def main() -> None:
    config = PATIENT
    for name, (before, limits) in LOCATIONS.items():
        Path(f"/srv/{name}.py").write_text(before + GOOD)
        config += f'[location.{name}]\npython_file = "/srv/{name}.py"\n{limits}\n'
        config += "" if name == "sales" else 'restart = "never"\n'
    Path("/etc/codelocd").mkdir(exist_ok=True)
    Path("/etc/codelocd/codelocd.toml").write_text(config)
    Path(DROP_IN).parent.mkdir()
    Path(DROP_IN).write_text("[Service]\nTimeoutStartSec=infinity\nWatchdogSec=0\n")
    for command in (
        ("/opt/codelocd/bin/codelocd", "service", "install", "--yes"),
        ("systemctl", "start", "codelocd.service"),
    ):
        subprocess.run(command, check=True)
    wanted = {"sales": "serving", "hungry": "failed", "crowded": "failed"}
    end = time.monotonic() + PATIENCE
    found = locations()
    while states(found) != wanted and time.monotonic() < end:
        time.sleep(0.5)
        found = locations()
        if states(found).get("sales") == "failed":
            break
    group = Path("/sys/fs/cgroup/system.slice/codelocd.service")
    runner = str(found.get("sales", {}).get("pid"))
    own = [each for each in group.glob("*/cgroup.procs") if runner in each.read_text().split()]
    result = {
        "states": states(found),
        "problems": {name: each["problem"] for name, each in found.items()},
        "service": said("systemctl", "show", "-P", "ActiveState", "codelocd.service"),
        "restarts": said("systemctl", "show", "-P", "NRestarts", "codelocd.service"),
        "groups": [each.parent.name for each in own],
    }
    print("RESULT " + json.dumps(result), flush=True)


main()
