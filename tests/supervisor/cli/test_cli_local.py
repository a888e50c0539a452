"""The commands that work here, without a daemon or as one: dev, check, config, env build."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from codelocd.cli.app import SECTIONS, app
from tests.commands import DEADLINE
from tests.supervisor.cli.fake_control import Shell

GOOD = "from codeloc import Definitions, asset\n@asset\ndef orders(): ...\n"
DEFS = f"{GOOD}defs = Definitions(assets=[orders])\n"
CONFIG = f"""
[defaults]
environment = {{ path = "{sys.prefix}" }}
[location.sales]
python_file = "defs.py"
"""


@pytest.fixture
def shop(used_shell: Shell) -> Shell:
    """A project with one location, `sales`, that loads."""
    (used_shell.folder / "codelocd.toml").write_text(CONFIG)
    (used_shell.folder / "defs.py").write_text(DEFS)
    return used_shell


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """What the process prints, up to and with the first line that has `text`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} never came: {lines}")


@pytest.fixture
def dev(shop: Shell) -> Iterator[subprocess.Popen[str]]:
    (shop.folder / "workspace.yaml").touch()
    process = shop.start("dev", stderr=subprocess.STDOUT)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=DEADLINE)


def test_dev_says_what_it_took_what_came_up_and_ends_with_0(
    shop: Shell, dev: subprocess.Popen[str]
) -> None:
    lines = lines_until(dev, "1 location serving after")
    assert lines[0] == f"config: {shop.folder}/codelocd.toml"
    assert lines[1] == f"not taken: {shop.folder}/workspace.yaml"
    assert lines[2].startswith(f"socket: {shop.runtime}/codelocd/work-")
    assert lines[3] == "sales ● building"
    assert lines[4].startswith("sales ● serving: 1 asset, after ")
    assert len(lines) == 6
    assert shop.run("status").returncode == 0
    dev.send_signal(signal.SIGINT)
    assert dev.wait(DEADLINE) == 0


def test_a_second_dev_in_a_project_is_an_error_that_names_the_first(
    shop: Shell, dev: subprocess.Popen[str]
) -> None:
    lines_until(dev, "1 location serving after")
    done = shop.run("dev")
    assert done.returncode == 75  # EX_TEMPFAIL of sysexits.h, as under `serve`
    assert done.stderr.startswith("codelocd: ")
    assert str(dev.pid) in done.stderr


def test_dev_ends_when_nobody_reads_it_any_more(shop: Shell, dev: subprocess.Popen[str]) -> None:
    lines_until(dev, "1 location serving after")
    assert dev.stdout is not None
    dev.stdout.close()
    dev.stdout = None
    shop.run("restart", "sales", "--no-wait")
    assert dev.wait(DEADLINE) == 0


def test_dev_may_be_quiet_or_verbose_and_not_both(shop: Shell) -> None:
    done = shop.run("dev", "--quiet", "--verbose")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--quiet and --verbose: give one of them" in done.stderr
    for option, line in (("-q", ""), ("-v", "sales + asset sales/orders")):
        process = shop.start("dev", option, stderr=subprocess.STDOUT)
        try:
            lines = lines_until(process, "1 location serving after")
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE)
        assert lines[1].startswith("socket: ")
        assert line in lines if line else len(lines) == 3


def test_dev_without_anything_to_run_is_exit_2(shell: Shell) -> None:
    done = shell.run("dev")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("codelocd: ")
    assert "add -f FILE or -m MODULE" in done.stderr


def test_targets_of_equal_file_names_get_names_of_their_own(used_shell: Shell) -> None:
    for folder in ("a", "b"):
        (used_shell.folder / folder).mkdir()
        (used_shell.folder / folder / "defs.py").write_text(DEFS.replace("orders", folder))
    targets = ["-f", "a/defs.py", "-f", "b/defs.py", "--python", sys.executable]
    done = used_shell.run("check", *targets, "--json")
    found = json.loads(done.stdout)
    assert sorted(location["name"] for location in found["locations"]) == ["a.defs", "b.defs"]
    assert done.returncode == 0


def test_a_check_has_all_definitions_where_they_are_asked_for(used_shell: Shell) -> None:
    marked = "import os\nTAG = os.environ.get('DAGSTER_IS_DEV_CLI')\n" + DEFS
    (used_shell.folder / "defs.py").write_text(
        marked.replace("@asset", "@asset(tags={'dev': TAG})")
    )
    target = ["-f", "defs.py", "--python", sys.executable]
    found = json.loads(used_shell.run("check", *target, "--json", "--definitions").stdout)
    [one] = found["definitions"]
    assert (one["location"], one["kind"], one["key"]) == ("defs", "asset", ["orders"])
    assert one["tags"] == {"dev": "1"}, "code that is checked is told that it is in development"
    assert (found["edges"], found["conflicts"]) == ([], [])
    assert "definitions" not in json.loads(used_shell.run("check", *target, "--json").stdout)
    alone = used_shell.run("check", *target, "--definitions")
    assert alone.returncode == 2
    assert "--definitions adds to what --json prints: give both" in alone.stderr


def test_a_check_of_code_that_does_not_load_is_exit_1(shop: Shell) -> None:
    (shop.folder / "defs.py").write_text(f"{DEFS}other_defs = Definitions()\n")
    done = shop.run("check")
    assert done.returncode == 1
    says = "Cannot have more than one Definitions object defined at module scope."
    assert f"{says} Found: defs, other_defs" in done.stdout


def test_a_check_prints_each_result_as_it_comes(shop: Shell) -> None:
    gate = shop.folder / "gate"
    waits = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)\n"
    (shop.folder / "slow.py").write_text(waits + DEFS)
    with (shop.folder / "codelocd.toml").open("a") as config:
        config.write('[location.earlier]\npython_file = "slow.py"\n')
    process = shop.start("check")
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "✓ sales: 1 asset\n"
        gate.touch()
        rest, _ = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    conflict = "✗ defined more than once: asset orders: earlier, sales"
    last = "2 locations checked, 0 failed, 1 conflict"
    assert rest.splitlines() == ["✓ earlier: 1 asset", conflict, last]


def help_of(*words: str) -> str:
    """As the command prints it: in this process, where a process each takes long."""
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="codelocd")
    assert done.exit_code == 0, done.output
    return done.output


def test_a_config_has_the_same_options_everywhere(shop: Shell) -> None:
    config = shop.folder / "elsewhere.toml"
    (shop.folder / "codelocd.toml").rename(config)
    commands = (("check",), ("config", "validate"), ("config", "show"), ("env", "build"))
    options = ("-w", "--workspace", "-c", "--config")
    for words, option in zip(commands, options, strict=True):
        done = shop.run(*words, option, "elsewhere.toml")
        assert (words, done.returncode, done.stderr.count("Error")) == (words, 0, 0), done.stderr
    assert "-c, -w, --config, --workspace FILE" in help_of("serve")


def test_a_config_is_named_once(shop: Shell) -> None:
    done = shop.run("config", "show", "codelocd.toml", "--config", "codelocd.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("codelocd: FILE and --config: give one of them")


ELSEWHERE = "load_from: [{grpc_server: {host: localhost, port: 4266}}]"


@pytest.mark.parametrize(
    ("workspace", "why"),
    [
        ("load_from: []", "the config has no locations"),
        (ELSEWHERE, "every location of the config is a server that runs elsewhere"),
    ],
)
def test_a_check_of_nothing_says_so_and_has_not_failed(
    shell: Shell, workspace: str, why: str
) -> None:
    (shell.folder / "workspace.yaml").write_text(workspace)
    done = shell.run("check", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"locations": [], "conflicts": []}
    notes = [f"config: {shell.folder}/workspace.yaml", f"nothing to load: {why}"]
    assert done.stderr.splitlines() == [*notes, "checking 0 locations"]


LISTING_NOTHING = [
    "[tool.dg.cli]\nverbose = true\n",
    '[tool.dg]\ndirectory_type = "workspace"\n',
    "[tool.dagster]\n",
]


@pytest.mark.parametrize("table", LISTING_NOTHING)
@pytest.mark.parametrize("command", ["dev", "check"])
def test_a_table_that_lists_nothing_beside_a_file_that_does_points_at_that(
    shell: Shell, table: str, command: str
) -> None:
    (shell.folder / "pyproject.toml").write_text(table)
    (shell.folder / "workspace.yaml").write_text("load_from: [{python_file: defs.py}]")
    done = shell.run(command)
    assert done.returncode == 1
    kind = "[tool.dagster]" if "dagster" in table else "[tool.dg]"
    assert done.stderr.splitlines()[-1] == (
        f"codelocd: {shell.folder}/pyproject.toml {kind} lists no location, and "
        f"{shell.folder}/workspace.yaml lists 1 location; "
        f"to load them: codelocd {command} -w workspace.yaml"
    )


@pytest.mark.parametrize("table", LISTING_NOTHING)
@pytest.mark.parametrize("words", [[], ["pyproject.toml"]])
def test_validating_a_table_that_lists_nothing_beside_a_file_that_does_points_at_that(
    shell: Shell, table: str, words: list[str]
) -> None:
    (shell.folder / "pyproject.toml").write_text(table)
    assert shell.run("config", "validate", *words).returncode == 0
    (shell.folder / "workspace.yaml").write_text("load_from: [{python_file: defs.py}]")
    done = shell.run("config", "validate", *words)
    kind = "[tool.dagster]" if "dagster" in table else "[tool.dg]"
    what = (
        f"{shell.folder}/pyproject.toml {kind} lists no location, and "
        f"{shell.folder}/workspace.yaml lists 1 location"
    )
    remedy = "to check that: codelocd config validate workspace.yaml"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"codelocd: {what}; {remedy}\n"
    found = json.loads(shell.run("config", "validate", "--json", *words).stdout)
    assert not found["ok"]
    assert (found["problems"][0]["message"], found["problems"][0]["remedy"]) == (what, remedy)


def test_a_valid_config_is_exit_0(shop: Shell) -> None:
    done = shop.run("config", "validate")
    assert done.stdout == f"{shop.folder}/codelocd.toml: valid, 1 location\n"
    assert done.returncode == 0
    assert json.loads(shop.run("config", "validate", "--json").stdout)["ok"]


@pytest.mark.parametrize("words", [["dev"], ["check"], ["config", "validate"], ["config", "show"]])
def test_an_invalid_config_is_exit_2_and_says_where(shop: Shell, words: list[str]) -> None:
    (shop.folder / "codelocd.toml").write_text('[location.sales]\npython_fil = "defs.py"\n')
    done = shop.run(*words)
    assert done.returncode == 2
    assert all(line.startswith("codelocd: ") for line in done.stderr.splitlines())
    assert f"{shop.folder}/codelocd.toml" in done.stderr
    assert "python_fil" in done.stderr


def test_every_mistake_of_a_config_is_in_its_json(shop: Shell) -> None:
    (shop.folder / "codelocd.toml").write_text('[location.sales]\npython_fil = "defs.py"\n')
    found = json.loads(shop.run("config", "validate", "--json").stdout)
    assert not found["ok"]
    assert {"file", "line", "key", "message", "remedy"} == found["problems"][0].keys()


def test_a_config_is_shown_resolved(shop: Shell) -> None:
    found = json.loads(shop.run("config", "show", "--json").stdout)
    assert found["locations"][0]["target"]["value"] == f"{shop.folder}/defs.py"
    assert f'python_file = "{shop.folder}/defs.py"' in shop.run("config", "show").stdout


def test_the_schema_is_a_json_document(shell: Shell) -> None:
    assert "$schema" in json.loads(shell.run("config", "schema").stdout)


def test_an_existing_environment_is_ready_and_not_built(shop: Shell) -> None:
    done = shop.run("env", "build", "--json")
    built = json.loads(done.stdout)
    assert [(one["location"], one["origin"]) for one in built] == [("sales", "existing")]
    assert Path(built[0]["executable"]).exists()
    assert done.returncode == 0
    assert shop.run("env", "build", "nothing").returncode == 4


def test_environments_are_listed_without_a_daemon(shop: Shell) -> None:
    done = replace(shop, data=None).run("env", "list", "--json")
    assert (json.loads(done.stdout), done.returncode) == ([], 0)


def test_pythons_are_listed(shell: Shell) -> None:
    found = json.loads(shell.run("env", "pythons", "--json").stdout)
    assert {"version", "executable"} == found[0].keys()


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["dev", "--help"], ["env", "-h"]])
def test_help_is_everywhere(shell: Shell, words: list[str]) -> None:
    done = shell.run(*words)
    assert done.stdout.startswith("Usage: codelocd")
    assert (done.stderr, done.returncode) == ("", 0)


def test_every_command_has_help_with_an_example() -> None:
    for name in (name for names in SECTIONS.values() for name in names):
        assert f"codelocd {name} " in help_of(name)


def test_without_a_command_the_help_is_exit_2(shell: Shell) -> None:
    done = shell.run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "codelocd dev" in done.stderr


def test_the_version_is_one_line(shell: Shell) -> None:
    done = shell.run("--version")
    assert done.stdout.startswith("codelocd ")
    assert (done.stdout.count("\n"), done.returncode) == (1, 0)


@pytest.mark.parametrize("words", [["--help"], ["config", "schema"]])
def test_a_full_device_is_an_error_and_not_a_traceback(shell: Shell, words: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = shell.run(*words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "codelocd: No space left on device\n"


def test_a_closed_stdout_is_no_error(shell: Shell) -> None:
    done = shell.run("config", "schema", stdout=None, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_group_that_does_not_exist_is_a_mistake_in_the_config(shop: Shell, command: str) -> None:
    (shop.folder / "codelocd.toml").write_text(f'[daemon]\nsocket_group = "no-such"\n{CONFIG}')
    done = shop.run(command)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "codelocd: [daemon] socket_group: there is no group 'no-such'; "
    )
