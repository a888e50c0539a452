"""What the command line says about Dagster's own page."""

from __future__ import annotations

import click
import pytest

from codelocd.cli.commands.run import PageOptions
from codelocd.model import Config, DagsterSettings
from tests import commands


def test_the_command_line_wins_over_the_config():
    config = Config((), dagster=DagsterSettings(port=1, host="a", drain_timeout=5))
    granted = PageOptions(serve=True, port=2, host=None).granted(config).dagster
    assert granted == DagsterSettings(serve=True, port=2, host="a", drain_timeout=5)


def test_a_config_that_serves_needs_no_option():
    config = Config((), dagster=DagsterSettings(serve=True))
    assert PageOptions(serve=False, port=4000, host=None).granted(config).dagster.port == 4000


def test_a_port_of_no_page_is_wrong_usage():
    with pytest.raises(click.UsageError, match="add --dagster"):
        PageOptions(serve=False, port=3000, host=None).granted(Config(()))


def test_it_ends_with_one_line_and_status_2(tmp_path):
    (tmp_path / "defs.py").touch()
    done = commands.run(["dev", "-f", "defs.py", "-p", "3000"], cwd=tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("codelocd: --port and --host are about Dagster's UI")
