"""The [dagster] table of codelocd.toml."""

from __future__ import annotations

import pytest

from codeloc_envs import Request
from codelocd.model import DagsterSettings


def test_without_the_table_dagsters_own_parts_do_not_run(folder):
    folder.write("codelocd.toml", "")
    assert folder.load("codelocd.toml").dagster == DagsterSettings(serve=False)


def test_every_key_of_the_table_is_taken(folder):
    folder.write(
        "codelocd.toml",
        """\
        [dagster]
        serve = true
        page = false
        host = "0.0.0.0"
        port = 3333
        drain_timeout = "2h"
        environment = { packages = ["dagster-webserver"] }
        """,
    )
    assert folder.load("codelocd.toml").dagster == DagsterSettings(
        serve=True,
        page=False,
        host="0.0.0.0",
        port=3333,
        drain_timeout=7200.0,
        environment=Request(packages=("dagster-webserver",)),
    )


def test_a_launcher_is_one_of_two(folder):
    folder.write("codelocd.toml", '[dagster]\nlauncher = "warm"\n')
    assert folder.load("codelocd.toml").dagster == DagsterSettings(launcher="warm")


MISTAKES = [
    (
        'launcher = "warm"\npage = false',
        'codelocd.toml:1: dagster: launcher = "warm" is for the UI and the daemon that codelocd ru',
    ),
    ('launcher = "cold"', "codelocd.toml:2: dagster.launcher: "),
    ("port = 70000", "codelocd.toml:2: dagster.port: must be at most 65535"),
    ("serv = true", 'codelocd.toml:2: dagster.serv: unknown key; did you mean "serve"?'),
]


@pytest.mark.parametrize(("line", "problem"), MISTAKES)
def test_a_mistake_is_one_line(folder, line, problem):
    folder.write("codelocd.toml", f"[dagster]\n{line}\n")
    [found] = folder.problems("codelocd.toml")
    assert found.startswith(problem)
