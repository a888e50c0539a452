"""The bridge to Ray and its nodes, with a token and TLS, on two machines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from codelocd.rpc.errors import RpcError
from tests.engine.certificates import certificates
from tests.engine.driving import DrivenBridge, place, program, started
from tests.engine.lab import Lab

COMMAND = """
import codeloc, helper, pathlib, sys
pathlib.Path("written").touch(exist_ok=False)
print(helper.VALUE, sys.stdin.read(), pathlib.Path.cwd())
sys.exit(7)
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_location_serves_on_a_node_with_the_users_own_paths(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        order = place("sales", project)
        said = await started(bridge, order, project)
        assert said["node"] in {each.address for each in lab.nodes}
        connection = bridge.connection(order["runner"])
        body = json.loads((await connection.call("snapshot"))["body"])
        assert set(body["sources"]) == {str(project / n) for n in ("definitions.py", "helper.py")}
        await bridge.hears("output")
        assert bridge.output(order["runner"]) == f"loaded from {project}/definitions.py\n".encode()
        await bridge.ask("kill", runner=order["runner"])
        end = await bridge.hears("exited")
        assert (end["signal"], end["confirmed"]) == (9, True)


async def test_a_save_sends_the_difference_and_changes_nothing_in_place(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        first = place("sales", project)
        await started(bridge, first, project)
        (project / "helper.py").write_text("VALUE = 2\n")
        second = place("sales", project, beside=first["runner"])
        await bridge.ask("start", **second, program=program(project))
        connection = bridge.connection(second["runner"])
        assert (await connection.call("snapshot"))["ok"]
        assert (await connection.call("serve"))["serves"] is False
        await bridge.connection(first["runner"]).call("hand_over")
        assert (await connection.call("serve"))["serves"] is True
        await bridge.ask("close", leave=False)


async def test_a_start_that_is_out_of_date_is_refused(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        older, newer = place("sales", project), place("sales", project)
        newer["epoch"] += 1000
        newer["runner"] = f"sales:{newer['epoch']}"
        await bridge.ask("prepare", **newer)
        with pytest.raises(RpcError, match="older") as refused:
            await bridge.ask("start", **older, program=program(project))
        assert refused.value.data["what"] == "stale"
        await bridge.ask("close", leave=False)


async def test_what_is_kept_outlives_the_bridge_and_is_found_again(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        order = place("kept", project)
        before = await started(bridge, order, project)
        await bridge.ask("keep", runner=order["runner"], record={"generation": 3})
        bridge.process.kill()
    async with DrivenBridge(lab, bundle) as bridge:
        (found,) = [each for each in bridge.hello["runners"] if each["location"] == "kept"]
        assert (found["record"], found["pid"]) == ({"generation": 3}, before["pid"])
        assert bridge.hello["epochs"]["kept"] == order["epoch"]
        await bridge.ask("attach", runner=order["runner"], offsets={"stdout": 0, "stderr": 0})
        await bridge.hears("output")
        assert bridge.output(order["runner"]).startswith(b"loaded from")
        assert await bridge.connection(order["runner"]).call("ping") == {}
        await bridge.ask("kill", runner=order["runner"])
        await bridge.hears("exited")


async def test_a_drained_node_stays_so_for_the_next_bridge(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        order = place("sales", project)
        node = (await started(bridge, order, project))["node"]
        assert (await bridge.ask("drain", node=node))["runners"] == [order["runner"]]
        await bridge.ask("kill", runner=order["runner"])
        await bridge.hears("exited")
    async with DrivenBridge(lab, bundle) as bridge:
        states = {each["name"]: each["state"] for each in bridge.hello["nodes"]}
        assert [name for name, state in states.items() if state == "draining"] == [node]
        order = place("sales", project)
        assert (await started(bridge, order, project))["node"] != node
        assert (await bridge.ask("drain", node=node, on=False))["runners"] == []
        await bridge.ask("close", leave=False)


async def test_a_runner_goes_on_under_a_daemon_that_leaves_none_behind(
    lab: Lab, bundle: Path, project: Path
) -> None:
    """As that of `codelocd dev`, whose orphan_timeout is 0."""
    async with DrivenBridge(lab, bundle, orphan_timeout=0.0) as bridge:
        order = place("brief", project)
        await started(bridge, order, project)
        await bridge.ask("keep", runner=order["runner"], record={"generation": 1})
        await bridge.hears("usage")  # is told after ten seconds
        assert await bridge.connection(order["runner"]).call("ping") == {}
        await bridge.ask("close", leave=False)


async def test_what_has_no_room_is_told_so_at_once(lab: Lab, bundle: Path, project: Path) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        large = {"cpu": 64.0, "memory": 0, "gpu": 0.0, "custom": {}}
        with pytest.raises(RpcError, match=r"no node has cpu 64 .*no node is so large") as refused:
            await bridge.ask("prepare", **place("large", project, resources=large))
        assert refused.value.data["missing"] == {"cpu": 64.0}
        assert "\n" not in refused.value.message


async def test_a_node_without_the_python_that_is_asked_for_says_so(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        said = await bridge.ask("prepare", **place("old", project, python="3.4"))
        line = said["problem"]["summary"]
        assert re.match(
            r"python 3\.4 \(asked for\) not found; there is: 3\..*; install it", line
        ), line
        assert "\n" not in line


async def test_code_that_is_too_large_is_not_sent(lab: Lab, bundle: Path, project: Path) -> None:
    (project / "data.bin").write_bytes(b"x" * 300_000)
    async with DrivenBridge(lab, bundle) as bridge:
        order = place("heavy", project)
        order["code"]["limit"] = 100_000
        with pytest.raises(RpcError, match=r"data\.bin") as refused:
            await bridge.ask("start", **order, program=program(project))
        assert refused.value.kind == "limit"


async def test_a_command_runs_beside_the_code_to_its_end(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        said = await ran(bridge, project, "sales:run-1", ["python", "-c", COMMAND], given=b"words")
        assert (said["status"], said["signal"]) == (7, None)
        assert bridge.output("sales:run-1") == f"1 words {project}\n".encode()
        again = await ran(bridge, project, "sales:run-2", ["python", "-c", COMMAND])
        assert again["status"] == 7  # in a copy of its own, where nothing was written yet


async def test_a_command_that_is_not_in_the_environment_is_not_run_unasked(
    lab: Lab, bundle: Path, project: Path
) -> None:
    async with DrivenBridge(lab, bundle) as bridge:
        said = await ran(bridge, project, "sales:run-3", ["env"])
        assert (said["status"], "not in the environment of sales" in said["why"]) == (127, True)
        said = await ran(bridge, project, "sales:run-4", ["no-such-program"])
        assert (said["status"], "there is no no-such-program" in said["why"]) == (127, True)
        said = await ran(bridge, project, "sales:run-5", ["true"], outside=True)
        assert (said["status"], said.get("why")) == (0, None)


async def ran(
    bridge: DrivenBridge,
    project: Path,
    name: str,
    words: list[str],
    given: bytes = b"",
    *,
    outside: bool = False,
) -> Any:
    """How a command ended."""
    order = {**place("sales", project), "runner": name, "argv": words, "outside": outside}
    ends = asyncio.ensure_future(bridge.ask("run", **order, working_directory=str(project)))
    begins = asyncio.ensure_future(bridge.hears("running", lambda each: each["runner"] == name))
    await asyncio.wait([ends, begins], return_when=asyncio.FIRST_COMPLETED)
    if begins.done() and not ends.done():
        with contextlib.suppress(RpcError):
            await bridge.ask("give", runner=name, data=given, last=True)
    begins.cancel()
    return await ends


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"token": None}, r"no token"),
        ({"token": "0" * 64}, r"token"),
        ({"address": "10.77.0.77:6379"}, r"10\.77\.0\.77:6379 cannot be reached"),
        ({"tls": None}, r"TLS"),
    ],
    ids=["no token", "a wrong token", "an unreachable head", "no TLS"],
)
async def test_what_is_wrong_with_the_connection_is_one_clear_line(
    lab: Lab, bundle: Path, wrong: dict[str, object], told: str
) -> None:
    await refused(DrivenBridge(lab, bundle, **wrong), told)


async def test_another_ca_than_the_clusters_is_one_clear_line(
    lab: Lab, bundle: Path, tmp_path: Path
) -> None:
    others = certificates(tmp_path, ["10.77.0.254"])
    tls = {**(lab.tls or {}), "ca": others["RAY_TLS_CA_CERT"]}
    await refused(DrivenBridge(lab, bundle, tls=tls), r"was not signed by .*ca\.pem")


async def refused(bridge: DrivenBridge, told: str) -> None:
    """Its hello, in one line, for this reason."""
    await bridge.begin()
    with pytest.raises(RpcError, match=told) as refusal:
        await bridge.greet()
    assert "\n" not in refusal.value.message
    bridge.process.kill()
    await bridge.process.wait()
