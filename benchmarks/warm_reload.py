"""Heavy packages: a save until its definitions are served, warm and cold."""

from __future__ import annotations

from pathlib import Path

from benchmarks._daemon import Daemon, folder, running, saved
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone

SOURCE = """\
import pandas
import sklearn.linear_model

from codeloc import Definitions, asset


@asset
def {newest}(): ...


defs = Definitions(assets=[{newest}])
"""

CONFIG = """
[location.{name}]
python_file = "{name}.py"
start_method = "{method}"
[location.{name}.environment]
packages = ["pandas", "scikit-learn"]
"""

METHODS = {"warm": "auto", "cold": "spawn"}
TIMES = 20.0


def measure(runs: int) -> list[Figure]:
    """Two locations with pandas and scikit-learn in one environment, alike but for
    `start_method`, saved in turn.
    """
    with folder() as home, running(_project(home), home) as daemon:
        daemon.until_serving()
        daemon.until_forked("warm")
        warm, cold = zip(*_pairs(daemon, runs), strict=True)
    save = Figure("pandas and scikit-learn: save → served, warm", "ms", warm)
    other = Figure("… cold", "ms", cold)
    return [save, other, ratio("cold, against warm", other, save, least=TIMES)]


def _project(home: Path) -> Path:
    project = home / "project"
    project.mkdir()
    for name in METHODS:
        (project / f"{name}.py").write_text(SOURCE.format(newest="newest"))
    tables = (CONFIG.format(name=name, method=method) for name, method in METHODS.items())
    (project / "codelocd.toml").write_text("".join(tables))
    return project


def _pairs(daemon: Daemon, runs: int) -> list[tuple[float, float]]:
    with daemon.client() as client:
        events = iter(client.subscribe(["definitions"]))

        def save(name: str, run: int) -> float:
            newest = f"{name}_{run}"
            file = daemon.project / f"{name}.py"
            return saved(file, SOURCE.format(newest=newest), newest, events)

        _warm_up, *pairs = [(save("warm", run), save("cold", run)) for run in range(runs + 1)]
    return pairs


if __name__ == "__main__":
    alone(measure, __doc__)
