"""Dagster's own page beside the locations: what it shows, and when."""

from __future__ import annotations

import os
import signal
import socket

import psutil
import pytest

from tests.end_to_end.daemons import native

HEAD = "import dagster as dg\n"
END = "defs = dg.Definitions(assets=[{}])\n"


def source(*assets: str, before: str = "") -> str:
    functions = "".join(f"@dg.asset\ndef {name}(): ...\n" for name in assets)
    return HEAD + before + functions + END.format(", ".join(assets))


def state(dev, name: str) -> tuple[str, bool]:
    entry = dev.entry(name)
    return entry["state"], entry["stale"]


@pytest.mark.parametrize("others", [(), pytest.param(("1.5",), marks=pytest.mark.slow)])
def test_a_save_shows_on_the_page_by_itself_and_a_mistake_leaves_what_was_there(
    project, declare, page, others
):
    """The slow form has a location of another release beside it, and codelocd builds the page's
    environment. What imports codeloc loads in the code server too: what `check` and the runner say
    of it holds for the page, however a server starts.
    """
    names = ["shop", *("old" for _ in others)]
    declare(built=bool(others), **dict(zip(names, ("newest", *others), strict=True)))
    before = "import codeloc, subprocess, sys\n"
    before += "subprocess.run([sys.executable, '-c', 'import codeloc'], check=True)\n"
    (project / "shop.py").write_text(source("one", before=before))
    needs = "@dg.asset(deps=[dg.AssetKey('one')])\ndef two(): ...\n"
    (project / "old.py").write_text(HEAD + needs + END.format("two"))
    shown, always = page(*names), {"two"} if others else set()
    assert shown.assets() == {"one"} | always

    (project / "shop.py").write_text(source("one", "three", before=before))
    shown.until(lambda: shown.assets() == {"one", "three"} | always)

    (project / "shop.py").write_text("import dagster as dg\ndef (:\n")
    shown.dev.until("shop", lambda entry: entry["stale"] and entry["reloading"] is None)
    assert shown.dev.entry("shop")["problem"]["summary"].startswith("SyntaxError")
    assert shown.assets() == {"one", "three"} | always

    (project / "shop.py").write_text(source("one", "four"))
    shown.until(lambda: shown.assets() == {"one", "four"} | always)
    assert shown.loaded() == set(names)


BREAKAGES = {
    "SyntaxError": "def (:\n",
    "sys.exit": "import sys\nsys.exit(7)\n",
    "os._exit": "import os\nos._exit(7)\n",
    "raise": "raise RuntimeError('no')\n",
    "duplicate key": "@dg.asset(name='one')\ndef again(): ...\n" + END.format("one, again"),
    "endless loop": "while True: pass\n",
}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_a_broken_edit_does_the_old_definitions_stay_and_the_repair_brings_the_new(
    project, declare, page
):
    declare(shop="newest")
    (project / "shop.py").write_text(source("one"))
    shown = page("shop")
    for number, (name, breakage) in enumerate(BREAKAGES.items()):
        before = shown.assets()
        (project / "shop.py").write_text(source("one", "broken") + breakage)
        end = "starting" if name == "endless loop" else None
        broken = shown.dev.until("shop", lambda e, end=end: e["stale"] and e["reloading"] == end)
        assert broken["state"] == "serving", name
        assert shown.assets() == before, name
        assert shown.loaded() == {"shop"}, name
        repaired = {"one", f"repaired_{number}"}
        (project / "shop.py").write_text(source(*sorted(repaired)))
        shown.until(lambda repaired=repaired: shown.assets() == repaired)
        assert state(shown.dev, "shop") == ("serving", False), name


@pytest.mark.slow
def test_what_is_killed_is_back_by_itself(project, declare, page):
    declare(shop="newest")
    (project / "shop.py").write_text(source("one"))
    shown = page("shop")
    runner = shown.dev.entry("shop")["pid"]

    server = shown.about()["servers"]["shop"]
    os.kill(server, signal.SIGKILL)
    shown.until(lambda: shown.about()["servers"]["shop"] != server)
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"one"})
    assert shown.dev.entry("shop")["pid"] == runner

    os.kill(runner, signal.SIGKILL)
    shown.dev.until("shop", lambda e: e["state"] == "serving" and e["pid"] != runner)
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"one"})

    pids = shown.about()["pids"]
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    shown.until(lambda: not set(shown.about()["pids"].values()) & set(pids.values()))
    shown.until(lambda: shown.loaded() == {"shop"} and shown.assets() == {"one"})


@pytest.mark.slow
def test_locations_come_and_go_with_the_config(project, declare, page):
    declare(shop="newest")
    (project / "shop.py").write_text(source("one"))
    (project / "more.py").write_text(source("two"))
    shown = page("shop")
    daemon = shown.about()["pids"]["dagster-daemon"]
    declare(shop="newest", more="1.9")
    shown.until(lambda: shown.loaded() == {"shop", "more"})
    assert shown.assets() == {"one", "two"}
    shown.until(lambda: shown.about()["pids"]["dagster-daemon"] != daemon)
    declare(more="1.9")
    shown.until(lambda: shown.loaded() == {"more"})


@pytest.mark.slow
def test_nothing_is_left_when_it_ends(project, declare, page):
    declare(shop="newest")
    (project / "shop.py").write_text(source("one"))
    shown = page("shop")
    tree = psutil.Process(shown.dev.process.pid).children(recursive=True)
    assert len(tree) >= 4
    assert shown.dev.stop(signal.SIGINT) == 0
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert not alive
    left = {path.name for path in project.iterdir()} - {"__pycache__"}
    assert left == {"codelocd.toml", "shop.py"}


@pytest.mark.slow
def test_a_page_whose_port_is_in_use_says_so_once_and_opens_when_it_is_free(
    project, declare, dev, page_of
):
    declare(shop="newest")
    (project / "shop.py").write_text(source("one"))
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        shown = page_of(dev("--dagster", "-p", str(port)), port)
        told = shown.dev.until_printed("Dagster's UI waits")
        assert f"port {port} of 127.0.0.1 is in use; end what listens there, or" in told
        shown.until(lambda: shown.about()["pids"].keys() == {"dagster-daemon"})
    shown.dev.until_printed(f"Dagster's UI: http://127.0.0.1:{port}")
    shown.until(lambda: shown.loaded() == {"shop"})
    printed = "\n".join(shown.dev.printed)
    assert printed.count("is in use") == 1
    assert "address already in use" not in printed


def test_locations_that_dagsters_ui_cannot_show_are_named(project, dev):
    (project / "plain.py").write_text(native("one"))
    (project / "other.py").write_text(native("two"))
    shown = dev("--dagster", "-f", "plain.py", "-f", "other.py")
    told = shown.until_printed("not in Dagster's UI")
    assert "not in Dagster's UI: other, plain; they use codeloc" in told
    shown.until_printed("opens as soon as a location with Dagster's definitions loads")


def test_locations_that_the_config_gains_later_are_named_too(project, dev):
    location = '[location.{0}]\npython_file = "{0}.py"\n'
    config = project / "codelocd.toml"
    for name in ("plain", "later"):
        (project / f"{name}.py").write_text(native(name))
    config.write_text(location.format("plain"))
    shown = dev("--dagster")
    shown.until_printed("not in Dagster's UI: plain; they use codeloc")
    config.write_text(location.format("plain") + location.format("later"))
    shown.until_printed("not in Dagster's UI: later; they use codeloc")


@pytest.mark.slow
def test_a_location_of_another_kind_is_named_beside_those_that_dagsters_ui_shows(
    project, declare, page
):
    declare(shop="newest")
    (project / "shop.py").write_text(source("one"))
    (project / "plain.py").write_text(native("two"))
    with (project / "codelocd.toml").open("a") as config:
        config.write('\n[location.plain]\npython_file = "plain.py"\n')
    shown = page("shop")
    assert "not in Dagster's UI: plain; they use" in shown.dev.until_printed("not in Dagster's UI")
    assert not any("opens as soon as" in line for line in shown.dev.printed)
