"""What `config show` prints is a codelocd.toml that asks for the same."""

from __future__ import annotations

import os
import pwd
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codelocd import config
from codelocd.config.engine import EngineTable
from codelocd.config.environment import EnvironmentTable, IndexTable
from codelocd.config.tables import (
    CodelocdTable,
    DaemonTable,
    DagsterTable,
    LocationTable,
    MetricsTable,
    NotifyTable,
    PageTable,
    RunsTable,
    TelemetryTable,
)
from codelocd.model import Config, LocationSpec

EVERY_KEY = """\
[daemon]
state_dir = "state"
store = "~/store"
socket = "here.sock"
socket_group = "root"
operator_group = "root"
observe_group = "root"
log_format = "json"
warm_idle = "5min"
prune = false
orphan_timeout = "1min"
trusted = ["/srv/shops"]

[dagster]
serve = true
page = false
host = "0.0.0.0"
port = 3333
drain_timeout = "1h"
launcher = "dagster"
environment = { packages = ["dagster-webserver"] }

[metrics]
port = 9464

[telemetry]
otlp = "http://127.0.0.1:4318"

[runs]
max_concurrent = 3
locations = { a = 1 }
jobs = { "a/nightly" = 1 }
tags = { warehouse = 2, "size=large" = 1 }
drain_timeout = "5min"
keep = "7d"
keep_runs = 500
tick = false

[notify]
command = ["/usr/local/bin/page", "ops"]
url = "https://hooks.example/T0"

[ui]
serve = true
host = "0.0.0.0"
socket = "page.sock"
socket_group = "root"
allowed_hosts = ["shop.example"]
read_only = true
editor = "zed"
auth = "proxy"

[index]
url = "https://host/simple"
extra = ["https://other/simple"]
find_links = ["wheels"]
certificate = "bundle.pem"
keyring = true
credential = "token"

[defaults]
env = { BOTH = "yes" }
restart_limit = { count = 2, period = "1min" }
backoff = { initial = "50ms", factor = 3, maximum = "2s", jitter = 0.5 }

[location."a.b-c_D"]
python_file = "defs.py"
attribute = "defs"
working_directory = "sub"
env = { REGION = "eu \\u007f \\"x\\"", DB = { from_env = "DB" }, PORT = 5432, K={credential="k"} }
env_file = "values"
reload = "manual"
watch = ["**/*.sql"]
ignore = ["scratch/**"]
restart = "never"
start_timeout = "1s"
build_timeout = "2s"
stop_timeout = 0
ping_interval = "3s"
ping_timeout = "4s"
healthy_after = "5s"
start_method = "spare"
memory_limit = "2GiB"
cpu_weight = 50
tasks_limit = 100
nice = 5
user = "{USER}"
group = "{GROUP}"
open_files = 1024
keep_releases = 3
release_root = "."

[location."a.b-c_D".environment]
python = ">=3.9,<3.13"
packages = ["pandas>=2", "x @ file:///y"]
requirements = ["requirements.txt"]
link_mode = "copy"
installer = "pip"
allow_python_download = true

[location.module]
module = "a.b"
environment = { project = ".", extras = ["e"], groups = ["g"] }
[location.package]
package = "a"
environment = { lock = "uv.lock" }
[location.auto]
autoload_defs_module = "a.defs"
environment = { path = ".venv" }
[location.python]
module = "a"
environment = { python = "./bin/python" }
""".replace("{USER}", pwd.getpwuid(os.geteuid()).pw_name).replace("{GROUP}", str(os.getegid()))


PLACED = """\
[engine]
kind = "ray"
address = "head:6379"
token_file = "token"
tls = { cert = "c.pem", key = "k.pem", ca = "ca.pem" }
namespace = "shop"
redis = "head:6380"
environment = { python = "3.11", packages = ["ray==2.60.0"] }
insecure = true
fence = "1min"
size = "10MiB"

[location.placed]
module = "a"
engine = "ray"
resources = { cpu = 1.5, memory = "2GiB", gpu = 1, custom = { fpga = 2 } }
node = { labels = { zone = "a" } }
source = "shared"
"""


def essence(spec: LocationSpec) -> LocationSpec:
    return replace(spec, declared_in="")


def again(found: Config, folder: Path, environ: dict[str, str]) -> Config:
    """What comes of the text, pasted into another folder."""
    folder.mkdir(exist_ok=True)
    (folder / "codelocd.toml").write_text(config.written(found))
    return config.load(folder / "codelocd.toml", environ, activated=False)


def test_every_key_survives(folder, tmp_path: Path) -> None:
    folder.write("values", "TOKEN=hunter2\n")
    folder.write("codelocd.toml", EVERY_KEY)
    environ = {"DB": "hunter3"}
    found = folder.load("codelocd.toml", environ)
    text = config.written(found)
    assert "hunter" not in text
    pasted = again(found, tmp_path / "elsewhere", environ)
    assert [*map(essence, pasted.locations)] == [*map(essence, found.locations)]
    tables = ("daemon", "dagster", "metrics", "notify", "otlp", "page", "runs")
    for table in tables:
        assert getattr(pasted, table) == getattr(found, table)
    assert config.written(pasted) == text


def write_certificates(folder) -> None:
    for name in ("c.pem", "k.pem", "ca.pem"):
        folder.write(name, "").chmod(0o600)


def test_every_key_of_an_engine_survives(folder, tmp_path: Path) -> None:
    folder.write("token", "t" * 64).chmod(0o600)
    write_certificates(folder)
    folder.write("codelocd.toml", PLACED)
    found = folder.load("codelocd.toml", {})
    pasted = again(found, tmp_path / "elsewhere", {})
    assert pasted.engine == found.engine
    assert [*map(essence, pasted.locations)] == [*map(essence, found.locations)]


def test_a_token_in_the_config_is_shown_nowhere(folder) -> None:
    text = PLACED.replace('token_file = "token"', f'token = "{"secret" * 8}"')
    write_certificates(folder)
    folder.write("codelocd.toml", text).chmod(0o600)
    found = folder.load("codelocd.toml", {})
    shown = config.written(found) + str(config.describe(found)) + repr(found)
    assert "secretsecret" not in shown
    assert "# token: not shown" in config.written(found)


def test_the_text_above_has_every_key_there_is() -> None:
    data, placed = tomllib.loads(EVERY_KEY), tomllib.loads(PLACED)
    data["location"].update(placed["location"])
    data["engine"] = placed["engine"]
    assert {*data["engine"], "token", "bridge"} == EngineTable.model_fields.keys()
    assert data.keys() == CodelocdTable.model_fields.keys()
    assert data["daemon"].keys() == DaemonTable.model_fields.keys()
    assert data["dagster"].keys() == DagsterTable.model_fields.keys()
    assert data["notify"].keys() == NotifyTable.model_fields.keys()
    assert data["metrics"].keys() == MetricsTable.model_fields.keys()
    assert data["telemetry"].keys() == TelemetryTable.model_fields.keys()
    assert data["runs"].keys() == RunsTable.model_fields.keys()
    assert {*data["ui"], "port"} == PageTable.model_fields.keys()
    assert data["index"].keys() == IndexTable.model_fields.keys()
    tables = [data["defaults"], *data["location"].values()]
    assert {key for table in tables for key in table} == LocationTable.model_fields.keys()
    environments = [table["environment"] for table in tables if "environment" in table]
    assert {key for each in environments for key in each} == EnvironmentTable.model_fields.keys()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_text_survives(tmp_path: Path, value: str) -> None:
    path = tmp_path / "codelocd.toml"
    path.write_text('[location.a]\nmodule = "a"\n')
    [spec] = config.load(path, {}, activated=False).locations
    variables: Any = config.load(path, {}, activated=False).locations[0].variables.__class__
    changed = replace(spec, watch=(value,), variables=variables({"A": value}, ["A"]))
    [pasted] = again(Config((changed,)), tmp_path / "pasted", {}).locations
    assert (pasted.watch, pasted.variables) == ((value,), {"A": value})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "workspace.yaml",
            (
                "load_from:\n  - python_file: a.py\n  - python_file:\n      relative_path: b.py\n"
                "      location_name: two\n      attribute: defs\n      working_directory: sub\n"
                "      executable_path: bin/python\n  - python_module: pkg.mod\n"
                "  - python_package: pkg\n  - autoload_defs_module: {module_name: pkg.defs}\n"
            ),
        ),
        (
            "dagster_cloud.yaml",
            (
                "locations:\n  - location_name: one\n    code_source: {module_name: pkg}\n"
                "    working_directory: sub\n"
            ),
        ),
        ("pyproject.toml", '[tool.dagster]\nmodule_name = "pkg"\ncode_location_name = "one"\n'),
        (
            "dg.toml",
            'directory_type = "project"\n[project]\nroot_module = "pkg"\nautoload_defs = true\n',
        ),
    ],
)
def test_what_dagsters_formats_ask_for_can_be_pasted(
    folder, tmp_path: Path, name: str, text: str
) -> None:
    folder.write(name, text)
    folder.write(".env", "TOKEN=hunter2\n")
    found = folder.load(name, activated=False)
    pasted = again(found, tmp_path / "elsewhere", {})
    assert "hunter" not in config.written(found)
    assert [*map(essence, pasted.locations)] == [*map(essence, found.locations)]


def test_what_has_no_words_in_codelocd_toml_is_a_comment(folder) -> None:
    folder.write(
        "workspace.yaml",
        "load_from:\n  - grpc_server: {host: h, port: 4000}\n"
        "  - python_file: {relative_path: a.py, attribute: b, location_name: 'a b'}\n"
        "  - python_file: {relative_path: c.py, location_name: 'a_b'}\n",
    )
    text = config.written(folder.load("workspace.yaml"))
    assert "# grpc:h:4000 is a code server of its own at h:4000" in text
    assert f"# a b in {folder.path}/workspace.yaml [load_from[1]]: codelocd.toml takes no" in text
    assert tomllib.loads(text)["location"].keys() == {"a_b-2", "a_b"}
    assert "# activated: the environment of your shell may serve it" in text
