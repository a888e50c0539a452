"""Values of a library in later runs: after a reload, and in another environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codelocd.client import Client
from tests.end_to_end.daemons import Dev, wait_for
from tests.pythons import interpreter

HEADER = """\
# /// script
# requires-python = "=={python}.*"
# dependencies = [{packages}]
# ///
"""
CODE = """
from codeloc import Definitions, asset

@asset
def raw_orders():
    import pandas
    print("pandas", pandas.__version__)
    return pandas.DataFrame({"price": [1, 2, 3]})

@asset
def orders(raw_orders):
    return int(raw_orders.price.sum())

@asset
def report(orders):
    print("in all", orders)

defs = Definitions(assets=[raw_orders, orders, report])
"""


def write(file: Path, python: str, packages: str) -> None:
    file.write_text(HEADER.format(python=python, packages=packages) + CODE)


def made(client: Client, *names: str) -> dict[str, Any]:
    asked = {"location": "shop", "names": [*names], "wait": True}
    run: dict[str, Any] = client.call("run", asked, timeout=600)["run"]
    return run


@pytest.mark.slow
def test_a_data_frame_is_read_after_a_reload_and_what_cannot_read_it_says_so(
    project: Path, tmp_path: Path
) -> None:
    """Installs pandas: test_runner_attempts has the same with the standard library alone."""
    for version in ("3.12", "3.11"):
        interpreter(version)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "shop.py"\n')
    write(project / "shop.py", "3.12", '"pandas>=2,<3"')
    dev = Dev(project, tmp_path / "home", ())
    try:
        dev.until_serving("shop")
        with dev.client() as client:
            missed = made(client, "orders")
            assert (missed["state"], missed["why"], missed["steps"]) == ("failed", "upstream", [])
            assert "takes raw_orders" in missed["summary"]
            assert "--upstream" in missed["summary"]

            assert made(client, "raw_orders")["state"] == "succeeded"
            client.call("reload", {"locations": ["shop"]}, timeout=600)
            later = made(client, "orders", "report")
            assert later["state"] == "succeeded"
            assert later["code"]["generation"] > missed["code"]["generation"]

            write(project / "shop.py", "3.11", "")
            wait_for(
                lambda: (
                    (dev.entry("shop")["environment"] or {}).get("python", "").startswith("3.11")
                )
            )
            run = made(client, "orders")
            assert run["state"] == "failed"
            told = run["steps"][0]["problem"]["summary"]
            assert "was written by Python 3.12." in told
            assert "and Python 3.11." in told
            assert f"in environment {later['environment']}" in told
            assert f"in environment {run['environment']} cannot read it" in told
    finally:
        dev.stop()
