"""The workspace.yaml that Dagster's own parts read."""

from __future__ import annotations

from pathlib import Path

import yaml

from codelocd.dagster import workspace
from codelocd.model import GrpcServer, LocationSpec


def test_every_location_is_a_server_at_its_link_and_external_ones_stay(tmp_path):
    far = LocationSpec("far", GrpcServer("host", 4266, ssl=True), tmp_path, "w.yaml")
    near = LocationSpec("near", GrpcServer(socket="/run/s"), tmp_path, "w.yaml")
    text = workspace.text({"shop é": Path("/run/b"), "a": Path("/run/a")}, [far, near])
    assert [entry["grpc_server"] for entry in yaml.safe_load(text)["load_from"]] == [
        {"socket": "/run/a", "location_name": "a"},
        {"socket": "/run/b", "location_name": "shop é"},
        {"host": "host", "port": 4266, "ssl": True, "location_name": "far"},
        {"host": "localhost", "socket": "/run/s", "location_name": "near"},
    ]


def test_writing_says_whether_it_changed_something(tmp_path):
    path = tmp_path / "workspace.yaml"
    assert workspace.write(path, "load_from: []\n")
    assert not workspace.write(path, "load_from: []\n")
    assert workspace.write(path, "load_from: [a]\n")
    assert [each.name for each in tmp_path.iterdir()] == ["workspace.yaml"]
