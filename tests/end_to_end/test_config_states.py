"""A config that is saved while a daemon runs: applied, waiting to be, or with a mistake."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests import commands
from tests.end_to_end.daemons import Dev, Service, StartDev, native

GOOD = '[location.sales]\npython_file = "defs.py"\n'
BROKEN = '[location.sales]\npython_fil = "defs.py"\nreload = "sometimes"\n'


def until_config(daemon: Dev | Service, state: str) -> dict[str, Any]:
    """`daemon.config`, as soon as it is in that state."""
    with daemon.client() as client:
        for event in client.subscribe(["status"]):
            data: Any = event["data"]
            found = data["daemon"]["config"] if data.get("full") else data.get("config")
            if found is not None and found["state"] == state:
                config: dict[str, Any] = found
                return config
    raise AssertionError("the daemon closed the connection")


def test_a_mistake_saved_under_dev_is_seen_everywhere_until_it_is_mended(
    dev: StartDev, project: Path
) -> None:
    config = project / "codelocd.toml"
    config.write_text(GOOD)
    (project / "defs.py").write_text(native("one"))
    daemon = dev()
    daemon.until_serving("sales")
    assert daemon.status()["daemon"]["config"]["state"] == "applied"
    assert daemon.cli("status").returncode == 0

    config.write_text(BROKEN)
    found = until_config(daemon, "invalid")
    assert found["file"] == str(config)
    first, second, third = found["problem"].splitlines()
    assert first.startswith(f"{config}:1: location.sales: names no code")
    assert second.startswith(f'{config}:2: location.sales.python_fil: unknown key; did you mean "')
    assert third.startswith(f"{config}:3: location.sales.reload: must not be")

    done = daemon.cli("status")
    assert done.returncode == 1
    assert f"config not applied: {second}" in done.stdout
    document = daemon.json("status")
    assert document["daemon"]["config"]["problem"] == found["problem"]
    assert document["locations"][0]["state"] == "serving"
    assert f"config not applied: {third}" in daemon.cli("show", "sales").stdout
    assert daemon.json("show", "sales")["config"]["state"] == "invalid"
    [last] = daemon.cli("events", "-n", "1", "--json").stdout.splitlines()
    assert json.loads(last)["event"] == "config-invalid"
    assert json.loads(last)["detail"] == found["problem"]
    assert "config-invalid" not in daemon.cli("events", "sales").stdout
    refused = daemon.cli("apply")
    assert refused.returncode == 2
    assert [f"codelocd: {each}" for each in (first, second, third)] == refused.stderr.splitlines()
    assert daemon.cli("events", "slaes").returncode == 4

    config.write_text(GOOD + 'env_file = "values"\n')
    while "no such file" not in until_config(daemon, "invalid")["problem"]:
        pass
    (project / "values").write_text("REGION=eu\n")
    until_config(daemon, "applied")
    assert daemon.cli("status").stdout.count("config") == 0

    config.unlink()
    assert until_config(daemon, "invalid")["problem"] == (
        f"{config}: is gone; restore it, or end this codelocd dev"
    )
    assert f"config not applied: {config}: is gone" in daemon.cli("status").stdout
    config.write_text(GOOD + '[daemon]\nlog_format = "json"\n')
    found = until_config(daemon, "changed")
    assert (
        found["problem"]
        == "[daemon] was changed, which takes effect when codelocd is started again"
    )
    assert daemon.cli("status").returncode == 0


def test_a_service_says_that_its_config_waits_until_it_is_applied(
    project: Path, tmp_path: Path
) -> None:
    config = project / "codelocd.toml"
    config.write_text('[daemon]\nlog_format = "json"\n' + GOOD)
    (project / "defs.py").write_text(native("one"))
    service = Service(project, tmp_path)

    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return commands.run(arguments, environ=service.environ)

    try:
        service.until_logged("loaded")
        config.write_text('[daemon]\nlog_format = "json"\n' + GOOD.replace("sales", "market"))
        found = until_config(service, "changed")
        assert "codelocd apply" in found["problem"]
        done = cli("status")
        assert done.returncode == 0
        assert f"config changed, not applied: {config}: `codelocd apply`" in done.stdout
        assert "sales" in done.stdout

        plan = cli("apply", "--dry-run")
        assert plan.stdout == "+ market added\n- sales removed\n"
        assert until_config(service, "changed")
        assert json.loads(cli("apply", "--json").stdout)["added"] == ["market"]
        until_config(service, "applied")

        config.write_text("[location")
        assert f"{config}:1: is not valid TOML" in until_config(service, "invalid")["problem"]
        assert cli("status").returncode == 1
        config.write_text('[daemon]\nlog_format = "json"\n' + GOOD)
        until_config(service, "changed")
        service.process.send_signal(signal.SIGHUP)
        until_config(service, "applied")
        assert cli("apply").stdout == "nothing to change: what runs matches the config\n"
    finally:
        service.stop()
