"""`config show`, `config schema`, and what importing the room costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from codelocd import config
from codelocd.model import Policy


def test_show_has_every_field_and_no_value_that_may_be_secret(folder):
    folder.write("a.env", "TOKEN=hunter2\n")
    folder.write(
        "codelocd.toml",
        """\
        [location.a]
        module = "a"
        env = { REGION = "eu", DB = { from_env = "DB" }, KEY = { credential = "key" } }
        env_file = "a.env"
        environment = { project = "." }
        """,
    )
    document = config.describe(folder.load("codelocd.toml", {"DB": "hunter3"}))
    root = str(folder.path)
    assert document == {
        "files": [f"{root}/codelocd.toml", f"{root}/a.env"],
        "metrics": {"port": None},
        "telemetry": {"otlp": None},
        "notify": {"command": [], "url": None},
        "engine": None,
        "ui": {
            "serve": False,
            "host": "127.0.0.1",
            "port": None,
            "socket": None,
            "socket_group": None,
            "allowed_hosts": [],
            "read_only": False,
            "editor": "vscode",
            "auth": "token",
        },
        "runs": {
            "max_concurrent": None,
            "locations": {},
            "jobs": {},
            "tags": {},
            "drain_timeout": None,
            "keep": 2592000.0,
            "keep_runs": 10000,
            "tick": True,
        },
        "dagster": {
            "serve": False,
            "page": True,
            "host": "127.0.0.1",
            "port": None,
            "drain_timeout": 3600.0,
            "environment": None,
            "launcher": "dagster",
        },
        "daemon": {
            "state_dir": None,
            "store": None,
            "socket": None,
            "socket_group": None,
            "operator_group": None,
            "observe_group": None,
            "log_format": "auto",
            "warm_idle": 1800.0,
            "prune": True,
            "orphan_timeout": 600.0,
            "trusted": [],
        },
        "notes": [],
        "locations": [
            {
                "name": "a",
                "target": {"kind": "module", "value": "a"},
                "working_directory": root,
                "declared_in": f"{root}/codelocd.toml [location.a]",
                "attribute": None,
                "variables": {"TOKEN": None, "DB": None, "REGION": "eu"},
                "credentials": {"KEY": "key"},
                "env_file": f"{root}/a.env",
                "environment": {
                    "python": None,
                    "packages": [],
                    "requirements": [],
                    "project": root,
                    "extras": [],
                    "groups": [],
                    "lock": None,
                    "path": None,
                    "added": [],
                    "installation": {
                        "index": {
                            "url": None,
                            "extra": [],
                            "find_links": [],
                            "certificate": None,
                            "keyring": False,
                            "credential": None,
                        },
                        "link_mode": "hardlink",
                        "installer": "uv",
                        "allow_python_download": False,
                    },
                },
                "activated_allowed": False,
                "user": None,
                "group": None,
                "placement": None,
                "release_root": None,
                "watch": [],
                "ignore": [],
                "policy": document["locations"][0]["policy"],
            }
        ],
    }
    assert document["locations"][0]["policy"]["start_timeout"] == Policy().start_timeout
    assert "hunter" not in json.dumps(document)


def test_a_literal_that_the_command_line_replaces_is_shown_no_more(folder):
    folder.write("codelocd.toml", '[location.a]\nmodule = "a"\nenv = { A = "file", B = "b" }')
    document = config.describe(folder.from_targets(env=["A=hunter2"]))
    assert document["locations"][0]["variables"] == {"A": None, "B": "b"}


def test_a_grpc_server_is_shown_as_what_it_is(folder):
    folder.write("w.yaml", "load_from: [{grpc_server: {port: 3}}]")
    [location] = config.describe(folder.load("w.yaml"))["locations"]
    assert location["target"] == {
        "kind": "grpc_server",
        "host": "localhost",
        "port": 3,
        "socket": None,
        "ssl": False,
    }


def tables(schema):
    yield schema
    yield from schema["$defs"].values()


def test_the_schema_knows_every_key_and_describes_it():
    schema = config.json_schema()
    keys = [key for table in tables(schema) for key in table["properties"].values()]
    assert len(keys) > 40
    assert all(key.get("description") for key in keys)
    assert all(table["additionalProperties"] is False for table in tables(schema))


def test_the_schema_takes_durations_as_the_config_does():
    duration = config.json_schema()["$defs"]["LocationTable"]["properties"]["start_timeout"]
    number, text = duration["anyOf"]
    assert number == {"type": "number", "exclusiveMinimum": 0}
    assert re.search(text["pattern"], "100ms")
    assert not re.search(text["pattern"], "3m")


def test_importing_the_room_imports_no_parser():
    code = (
        "import sys, codelocd.config, codelocd.config.targets\n"
        "print([name for name in ('yaml', 'pydantic', 'tomllib') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_daemon_with_a_config_of_its_own_format_imports_no_parser_of_yaml(tmp_path):
    file = tmp_path / "codelocd.toml"
    file.write_text('[location.x]\npython_file = "x.py"\n')
    (tmp_path / "x.py").touch()
    code = (
        "import os, sys, pathlib, codelocd.daemon.service\n"
        "from codelocd import config\n"
        f"config.load(pathlib.Path({str(file)!r}), os.environ, activated=True)\n"
        "print('yaml' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
