"""Dagster locations: save → new definitions in codelocd's registry, beside `dagster dev`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks import _bare_load, _dagster, _peers
from benchmarks._daemon import Daemon, folder, plain_environment, running, saved
from benchmarks._dagster import Side
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone

SMALL, LARGE = 5, 1000
MILLISECONDS, TIMES, SHARE = 100.0, 20.0, 1.2


def measure(runs: int) -> list[Figure]:
    """Both run at once, with equal projects, and take turns. `dagster dev` does not reload by
    itself: it is sent its reload mutation with the save, and asked until the new asset is there.

    The bare load is what Dagster itself needs: a process that has imported dagster and loaded a
    small location before imports the saved module, resolves its definitions, and makes
    Dagster's own snapshot of them.
    """
    prefix = _peers.environment(*_peers.DAGSTER)
    return [*_small(prefix, runs), *_large(prefix, runs)]


def _small(prefix: Path, runs: int) -> list[Figure]:
    ours, dagsters, bare = zip(*_rounds(prefix, SMALL, runs), strict=True)
    save = Figure(f"{SMALL} assets: save → served", "ms", ours, MILLISECONDS)
    other = Figure("… dagster dev, told to reload", "ms", dagsters)
    times = ratio("dagster dev, against codelocd", other, save, least=TIMES)
    return [save, other, times, Figure("… a bare load", "ms", bare)]


def _large(prefix: Path, runs: int) -> list[Figure]:
    ours, dagsters, bare = zip(*_rounds(prefix, LARGE, runs), strict=True)
    save = Figure(f"{LARGE} assets: save → served", "ms", ours)
    other = Figure("… dagster dev, told to reload", "ms", dagsters)
    load = Figure("… a bare load", "ms", bare)
    return [
        save,
        other,
        ratio("dagster dev, against codelocd", other, save),
        load,
        ratio("codelocd, against the bare load", save, load, target=SHARE),
    ]


def _rounds(prefix: Path, assets: int, runs: int) -> list[tuple[float, float, float]]:
    with folder() as home:
        mine = _dagster.write(home / "ours", [prefix], assets)
        theirs = _dagster.write(home / "theirs", [prefix], assets)
        with running(mine, home) as daemon, _dagster.dagster_dev(theirs, prefix) as side:
            daemon.until_serving()
            daemon.until_forked("location_0")
            side.until_loaded(1)
            return _in_turns(daemon, side, prefix / "bin" / "python", assets, runs)


def _in_turns(
    daemon: Daemon, side: Side, python: Path, assets: int, runs: int
) -> list[tuple[float, float, float]]:
    module = daemon.project / "location_0.py"
    with daemon.client() as client:
        events = iter(client.subscribe(["definitions"]))
        _warm_up, *rounds = [
            (
                saved(module, _dagster.source(f"ours_{run}", assets), f"ours_{run}", events),
                1000 * side.save(f"theirs_{run}", assets, reload=True),
                _bare(python, module),
            )
            for run in range(runs + 1)
        ]
    return rounds


def _bare(python: Path, module: Path) -> float:
    """Milliseconds, as the process itself counts them."""
    small = module.parents[1] / "small.py"  # outside of what is watched
    small.write_text(_dagster.source("newest"))
    script = str(_bare_load.__file__)
    command = [str(python), "-B", script, str(small), str(module)]
    done = subprocess.run(
        command, env=plain_environment(), check=True, capture_output=True, text=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    alone(measure, __doc__)
