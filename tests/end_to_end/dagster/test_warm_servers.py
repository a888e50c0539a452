"""Code servers that are forked from the warm interpreter of their environment."""

from __future__ import annotations

import itertools
import os
import signal

import psutil
import pytest

SOURCE = """
import dagster as dg

{before}
@dg.asset
def {name}(): ...

defs = dg.Definitions(assets=[{name}])
"""


def source(name: str, before: str = "") -> str:
    return SOURCE.format(name=name, before=before)


def started(shown, location: str = "shop") -> tuple[str, str]:
    """How the code server of a location was started, and why so."""
    start = shown.about()["starts"][location]
    return start["start_method"], start["why"]


def save_until(shown, file, method: str, location: str = "shop") -> None:
    """A save that comes before anything warm is ready starts cold: then save again."""
    number = itertools.count()

    def saved() -> bool:
        name = f"{location}_{next(number)}"
        file.write_text(source(name))
        shown.until(lambda: name in shown.assets())
        return started(shown, location)[0] == method

    shown.until(saved)


@pytest.mark.slow
def test_a_code_server_is_a_fork_and_what_kills_it_brings_another(project, declare, page):
    declare(shop="newest")
    (project / "shop.py").write_text(source("first"))
    shown = page("shop")
    save_until(shown, project / "shop.py", "fork")

    server = psutil.Process(shown.about()["servers"]["shop"])
    assert server.ppid() == shown.dev.process.pid
    assert os.getsid(server.pid) == server.pid
    assert shown.dev.entry("shop")["start_method"] == "fork"

    (project / "shop.py").write_text(source("second"))
    shown.until(lambda: shown.assets() == {"second"})
    assert started(shown)[0] == "fork"

    killed = shown.about()["servers"]["shop"]
    os.kill(killed, signal.SIGKILL)
    shown.until(lambda: shown.about()["servers"]["shop"] != killed)
    assert started(shown)[0] == "fork"
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"second"})

    run = shown.launch("shop", "__ASSET_JOB")
    shown.until(lambda: shown.status(run) == "SUCCESS")


@pytest.mark.slow
def test_where_spares_serve_a_code_server_is_one_too(project, declare, page):
    declare(shop="newest")
    config = project / "codelocd.toml"
    own = config.read_text().replace("start_timeout", 'start_method = "spare"\nstart_timeout')
    config.write_text(own)
    (project / "shop.py").write_text(source("first"))
    shown = page("shop")
    save_until(shown, project / "shop.py", "spare")


CRASH = """
import os, sys
if "_codeloc_runner" in sys.modules and "--socket" in sys.argv:
    os._exit(9)
"""


@pytest.mark.slow
def test_a_server_that_crashes_only_after_a_fork_is_started_again_on_its_own(
    project, declare, page
):
    declare(shop="newest")
    (project / "shop.py").write_text(source("first"))
    shown = page("shop")
    save_until(shown, project / "shop.py", "fork")
    (project / "shop.py").write_text(source("second", CRASH))
    shown.until(lambda: shown.assets() == {"second"})
    method, why = started(shown)
    assert method == "spawn"
    assert why.startswith("the code server exited with status 9 while loading after a fork")


@pytest.mark.slow
def test_code_servers_of_several_releases_start_at_once_in_a_new_home_and_are_forked(
    project, declare, page
):
    releases = {"a": "newest", "b": "newest", "c": "1.9", "d": "1.5"}
    declare(**releases)
    for name in releases:
        (project / f"{name}.py").write_text(source(f"{name}_first"))
    shown = page(*releases)
    for name in releases:
        save_until(shown, project / f"{name}.py", "fork", name)
    assert shown.loaded() == set(releases)
