"""Environments of their own for what codelocd is measured beside, installed by the suite."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path

from codeloc_envs import Request, Store, choose

CACHE = Path(__file__).parent.parent / ".cache" / "benchmarks"
DAGSTER = ("dagster", "dagster-webserver")
DBT = (*DAGSTER, "dagster-dbt>=0.28", "dbt-duckdb>=1.8", "dbt-core<1.11")  # newer: a download
PEERS = {
    "dagster": DAGSTER,
    "supervisor": ("supervisor", "setuptools<81"),
    "circus": ("circus",),
    "honcho": ("honcho",),
    "uvicorn": ("uvicorn[standard]",),
}
"""Packages by peer. supervisord imports pkg_resources, which newer setuptools do not have."""


PM2 = "pm2@7"


@functools.cache
def pm2() -> Path:
    """The folder of the package, installed by npm once."""
    place = CACHE / "pm2"
    if not (place / "node_modules" / "pm2").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(place), PM2]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return place / "node_modules" / "pm2"


@functools.cache
def environment(*packages: str) -> Path:
    """The prefix of an environment with the packages, built once."""
    store = Store(CACHE)
    wanted = choose(Request(packages=packages), code=CACHE.parent).specification
    found = store.find(wanted) or store.build(wanted, lambda _progress: None)
    assert found.path is not None, "an environment of ours has a folder"
    return found.path


def program(peer: str, name: str) -> str:
    """The path of one of a peer's commands."""
    return str(environment(*PEERS[peer]) / "bin" / name)


def versions() -> list[str]:
    """Of all peers that are installed."""
    node = [] if shutil.which("npm") is None else [f"pm2 {_version(pm2())}"]
    return node + sorted(
        f"{peer} {info.name.removesuffix('.dist-info').partition('-')[2]}"
        for peer, packages in PEERS.items()
        for info in environment(*packages).glob(f"lib/*/site-packages/{peer}-*.dist-info")
    )


def _version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text())["version"])
