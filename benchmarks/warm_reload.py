"""A save until its definitions are served: from a warm interpreter, and cold, in pairs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._daemon import Daemon, NothingHappened, first, folder, running
from benchmarks._measure import Figure, alone, ratio

DAGSTER = """\
import dagster as dg


@dg.asset
def one(): ...


@dg.asset
def two(one): ...


@dg.asset
def three(two): ...


@dg.asset
def four(three): ...


@dg.asset
def {newest}(four): ...


defs = dg.Definitions(assets=[one, two, three, four, {newest}])
"""

PANDAS = """\
import pandas
import sklearn.linear_model

from codeloc import Definitions, asset


@asset
def {newest}(): ...


defs = Definitions(assets=[{newest}])
"""

PROJECTS = {
    "Dagster, 5 assets": (DAGSTER, '"dagster"'),
    "pandas and scikit-learn": (PANDAS, '"pandas", "scikit-learn"'),
}
"""By what it is: the code and its packages."""

CONFIG = """
[location.{name}]
python_file = "{name}.py"
start_method = "{method}"
[location.{name}.environment]
packages = [{packages}]
"""


def measure(runs: int) -> list[Figure]:
    return [
        figure
        for name, (source, packages) in PROJECTS.items()
        for figure in _project(name, source, packages, runs)
    ]


def _project(name: str, source: str, packages: str, runs: int) -> list[Figure]:
    """Two locations of one environment, alike but for `start_method`, saved in turn."""
    with folder() as home:
        project = home / "project"
        project.mkdir()
        methods = {"warm": "auto", "cold": "spawn"}
        for each in methods:
            (project / f"{each}.py").write_text(source.format(newest="newest"))
        (project / "codelocd.toml").write_text(
            "".join(
                CONFIG.format(name=each, method=method, packages=packages)
                for each, method in methods.items()
            )
        )
        with running(project, home) as daemon:
            daemon.until_serving()
            _until_warm(daemon)
            pairs = _pairs(daemon, source, runs)
    warm, cold = zip(*pairs, strict=True)
    save = Figure(f"{name}: save → served, warm", "ms", warm)
    other = Figure(f"{name}: save → served, cold", "ms", cold)
    return [save, other, ratio(f"{name}: cold, against warm", other, save)]


def _until_warm(daemon: Daemon) -> None:
    """A warm interpreter is made in the background; reloads show when it is there."""
    with daemon.client() as client:
        for _ in range(100):
            client.call("reload", {"locations": ["warm"]})
            if client.call("show", {"location": "warm"})["start_method"] == "fork":
                return
            time.sleep(0.5)
    raise NothingHappened("no reload was forked")


def _pairs(daemon: Daemon, source: str, runs: int) -> list[tuple[float, float]]:
    with daemon.client() as client:
        events = iter(client.subscribe(["definitions"]))
        _first, *pairs = [
            (
                _save(daemon.project / "warm.py", source, f"warm_{run}", events),
                _save(daemon.project / "cold.py", source, f"cold_{run}", events),
            )
            for run in range(runs + 1)
        ]
    return pairs


def _save(module: Path, source: str, newest: str, events: Iterator[Any]) -> float:
    text = source.format(newest=newest)
    saved = time.monotonic()
    module.write_text(text)
    return 1000 * (first(events, lambda data: newest in _added(data)) - saved)


def _added(data: dict[str, Any]) -> set[str]:
    return {definition["name"] for definition in data.get("added", ())}


if __name__ == "__main__":
    alone(measure, __doc__)
