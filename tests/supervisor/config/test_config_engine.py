"""The [engine] table and where locations run: one clear line for each thing that is wrong."""

from __future__ import annotations

import pytest

from codelocd.placement import HERE, Resources

TOKEN = "t" * 64
RAY = f"""[engine]
kind = "ray"
address = "head:6379"
token = "{TOKEN}"
"""
PLACED = """[location.a]
module = "a"
engine = "ray"
"""


def told(folder, text: str, mode: int = 0o600) -> list[str]:
    """What is said of a config, each line without the file's name."""
    folder.write("codelocd.toml", text).chmod(mode)
    return [each.replace(f"{folder.path}/", "") for each in folder.problems("codelocd.toml")]


def test_a_location_asks_for_resources_and_labels_of_a_node(folder):
    text = """resources = { cpu = 2, memory = "1GiB", custom = { fpga = 1 } }
node = { labels = { zone = "a" } }
"""
    folder.write("codelocd.toml", RAY + PLACED + text).chmod(0o600)
    found = folder.load("codelocd.toml", {})
    [spec] = found.locations
    assert spec.placement.resources == Resources(2.0, 2**30, 0.0, {"fpga": 1.0})
    assert (spec.placement.engine, spec.placement.labels) == ("ray", {"zone": "a"})
    assert (found.engine.kind, found.engine.fence) == ("ray", 30.0)


def test_without_an_engine_all_locations_run_here(folder):
    folder.write("codelocd.toml", '[location.a]\nmodule = "a"\n')
    found = folder.load("codelocd.toml", {})
    assert not found.engine.is_used
    assert found.locations[0].placement == HERE


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            RAY.replace(f'token = "{TOKEN}"', ""),
            (
                "codelocd.toml:1: engine: has no token: who reaches the head's port may run "
                "any code on each node; start the cluster with RAY_AUTH_MODE=token and name its "
                "token_file, or say insecure = true"
            ),
        ),
        (
            RAY.replace(TOKEN, "short"),
            (
                "codelocd.toml:1: engine: has a token of fewer than 32 characters; make one with "
                "`openssl rand -hex 32`"
            ),
        ),
        (
            RAY + 'token_file = "codelocd.toml"\n',
            "codelocd.toml:1: engine: has token and token_file; keep one of them",
        ),
        (
            RAY.replace(f'token = "{TOKEN}"', 'token_file = "t"'),
            "codelocd.toml:4: engine.token_file: no such file: t; create it, or correct the path",
        ),
        (
            RAY.replace('address = "head:6379"', ""),
            'codelocd.toml:1: engine: has no address; add address = "HOST:6379", that of the head',
        ),
        (
            '[engine]\naddress = "head:6379"\n',
            'codelocd.toml:1: engine: says no kind; write kind = "ray", or remove the table',
        ),
        (
            RAY.replace('"ray"', '"local"'),
            'codelocd.toml:1: engine: has kind = "local"; write kind = "ray", or remove the table',
        ),
        (
            RAY.replace(":6379", ""),
            (
                "codelocd.toml:1: engine: has address = 'head', which is no HOST:PORT; "
                "add the port of the head, 6379 by default"
            ),
        ),
        (
            RAY + 'fence = "1s"\n',
            (
                "codelocd.toml:1: engine: has a fence of 1 s, within which a busy head may not "
                "answer; ask for 5 s at least"
            ),
        ),
        (
            RAY + 'tls = { cert = "codelocd.toml", key = "codelocd.toml", ca = "ca.pem" }\n',
            "codelocd.toml:5: engine.tls.ca: no such file: ca.pem; create it, or correct the path",
        ),
        (
            '[engine]\nkind = "other"\n',
            (
                'codelocd.toml:1: engine: has no bridge; bridge = ["PROGRAM", …] goes with '
                'kind = "other"'
            ),
        ),
        (
            PLACED,
            (
                "codelocd.toml:3: location.a.engine: asks for 'ray', and there is no [engine]; "
                'write [engine] with kind = "ray"'
            ),
        ),
        (
            RAY + '[location.a]\nmodule = "a"\nresources = { cpu = 1 }\n',
            (
                "codelocd.toml:7: location.a.resources: is for an engine, and it runs on this "
                'machine; add engine = "ray", or remove it'
            ),
        ),
        (
            RAY + PLACED + "tasks_limit = 5\n",
            (
                "codelocd.toml:8: location.a.tasks_limit: has no effect on a node: it holds on the "
                "daemon's machine; remove it"
            ),
        ),
        (
            RAY + PLACED + 'environment = { path = ".venv" }\n',
            (
                "codelocd.toml:8: location.a.environment.path: is on this machine, and it runs on "
                'a node; say what is in it (packages, project, lock), or source = "shared"'
            ),
        ),
        (
            RAY + PLACED + "[dagster]\nserve = true\n",
            (
                "codelocd.toml:9: dagster.serve: Dagster's UI cannot show what runs on nodes (a); "
                "remove serve, or run those locations on this machine; docs/engines.md says why"
            ),
        ),
        (
            RAY + PLACED + "resources = { custom = { fpga = 0 } }\n",
            "codelocd.toml:8: location.a.resources: asks for 0 of fpga; ask for more than 0",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_what_to_do(folder, text, line):
    assert told(folder, text) == [line]


def test_a_token_that_others_can_read_is_refused(folder):
    [line] = told(folder, RAY, 0o644)
    assert "engine.token: stands in codelocd.toml, which other users can read" in line
    assert "chmod 600 codelocd.toml" in line
    folder.write("token", TOKEN).chmod(0o640)
    [line] = told(folder, RAY.replace(f'token = "{TOKEN}"', 'token_file = "token"'), 0o644)
    assert "engine.token_file: other users can read token; run `chmod 600 token`" in line


@pytest.mark.parametrize("content", ["", "\n", "t" * 31 + "\n"])
def test_a_file_without_a_whole_token_is_refused(folder, content):
    folder.write("token", content).chmod(0o600)
    [line] = told(folder, RAY.replace(f'token = "{TOKEN}"', 'token_file = "token"'))
    assert "engine.token_file: token has fewer than 32 characters; make one with" in line
    assert "openssl rand -hex 32 > token" in line


def test_what_the_defaults_say_of_nodes_is_not_for_a_location_that_stays_here(folder):
    text = """[defaults]
engine = "ray"
resources = { cpu = 1 }
[location.a]
module = "a"
[location.b]
module = "b"
engine = "local"
"""
    folder.write("codelocd.toml", RAY + text).chmod(0o600)
    placed, here = folder.load("codelocd.toml", {}).locations
    assert (placed.placement.engine, here.placement.engine) == ("ray", "local")
