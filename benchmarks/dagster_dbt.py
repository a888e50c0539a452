"""A dbt project of 200 models: start, size in the registry, and save of a model → served."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _dagster, _peers
from benchmarks._daemon import Daemon, folder, running
from benchmarks._dagster import Side
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from codelocd.client import Client

MODELS = 200
LEAST_STARTS = 3
QUIET_SECONDS = 60.0
NAME = "location_0"
SIDES = ("codelocd", "codelocd --dagster", "dagster dev, told to reload")

PROJECT = {
    "dbt_project.yml": "name: shop\nversion: '1.0'\nprofile: shop\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
}
SOURCES = "version: 2\nsources: [{name: raw, tables: [{name: orders}, {name: visits}]}]\nmodels:\n"
TESTED = "  - {{name: {name}, columns: [{{name: id, tests: [unique, not_null]}}]}}\n"
TAGGED = '{{{{ config(tags=["{tag}"]) }}}}\n'

ASSETS = """
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

project = DbtProject(project_dir=Path(__file__).parent / "shop")
project.prepare_if_dev()

@dbt_assets(manifest=project.manifest_path, project=project)
def shop(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build"], context=context).stream()

defs = dg.Definitions(assets=[shop], resources={"dbt": DbtCliResource(project_dir=project)})
"""
DEFINITIONS = """
from pathlib import Path

from dagster import definitions, load_from_defs_folder

@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
COMPONENT = """
type: dagster_dbt.DbtProjectComponent
attributes:
  project: "{{ project_root }}/shop"
"""
PYPROJECT = """
[project]
name = "shop-defs"
version = "0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "shop_defs"
"""
WAYS = {
    "@dbt_assets": {"defs.py": ASSETS},
    "component": {
        "pyproject.toml": PYPROJECT,
        "shop_defs/__init__.py": "",
        "shop_defs/definitions.py": DEFINITIONS,
        "shop_defs/defs/dbt/defs.yaml": COMPONENT,
    },
}
TAGS = """query ($name: String!) { assetNodeOrError(assetKey: {path: [$name]}) {
  ... on AssetNode { tags { key } } } }"""


def measure(runs: int) -> list[Figure]:
    """dagster-dbt with dbt-duckdb; 200 models, 2 sources, 400 tests, the project prepared by each
    load (`prepare_if_dev`), so that every time has a `dbt parse` in it; partial parsing is on
    everywhere. In turns: codelocd by itself, codelocd with Dagster's UI, `dagster dev`; each has a
    copy of the project. The first start finds neither a manifest nor anything learned, the second
    start what the first has left. A save gives an existing model another tag; it is over when the
    registry, or the UI, has the tag. For the saves all three run at once, of which two are idle.
    Loads that no save has asked for are counted over the time of the saves, and a minute more.
    """
    prefix = _peers.environment(*_peers.DBT)
    return [figure for way in WAYS for figure in _of_way(prefix, way, runs)]


def _of_way(prefix: Path, way: str, runs: int) -> Iterator[Figure]:
    starts = [_starts(prefix, way) for _ in range(max(LEAST_STARTS, runs // 3))]
    found = _saves(prefix, way, runs)
    first, second = zip(*starts, strict=True)
    yield from _compared(f"{way}: first start", "s", first)
    yield from _compared(f"{way}: second start", "s", second)
    yield Figure(f"{way}: definitions", "", (found.definitions,))
    yield Figure(f"{way}: registry, as JSON", "kB", (found.kilobytes,))
    yield from _compared(f"{way}: save → served", "s", found.seconds)
    for side, loads in zip(SIDES, found.loads, strict=False):
        yield Figure(f"{way}: loads that no save asked for, {side}", "", (loads,), target=0)


def _compared(what: str, unit: str, rounds: Sequence[Sequence[float]]) -> Iterator[Figure]:
    """One round has one value for each of SIDES."""
    sides = [
        Figure(f"{what}, {side}", unit, values)
        for side, values in zip(SIDES, zip(*rounds, strict=True), strict=True)
    ]
    yield from sides
    for side, mine in zip(SIDES, sides[:-1], strict=False):
        yield ratio(f"{what}, dagster dev against {side}", sides[-1], mine)


def write(project: Path, prefix: Path, way: str) -> Path:
    """A project for both sides, whose dbt project is in `shop`."""
    texts = {f"shop/{name}": text for name, text in PROJECT.items()} | WAYS[way]
    names = [f"model_{number}" for number in range(MODELS)]
    texts |= {f"shop/models/{name}.sql": _model(number) for number, name in enumerate(names)}
    tests = "".join(TESTED.format(name=name) for name in names)
    texts["shop/models/schema.yml"] = SOURCES + tests
    key = "python_file" if "defs.py" in texts else "module"
    value = "defs.py" if "defs.py" in texts else "shop_defs.definitions"
    texts["codelocd.toml"] = (
        f'[dagster]\nenvironment = {{ path = "{prefix}" }}\n[location.{NAME}]\n{key} = "{value}"\n'
        f'start_timeout = "600s"\nenvironment = {{ path = "{prefix}" }}\n'
    )
    python = {"location_name": NAME, "executable_path": str(prefix / "bin" / "python")}
    target = {"relative_path": value} if key == "python_file" else {"module_name": value}
    entry = {{"python_file": "python_file", "module": "python_module"}[key]: target | python}
    texts["workspace.yaml"] = json.dumps({"load_from": [entry]})
    for name, text in texts.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    return project


def _model(number: int) -> str:
    """The first two read the sources, each other one a model before it."""
    table = ("orders", "visits")[number % 2]
    read = f"source('raw', '{table}')" if number < 2 else f"ref('model_{number // 2}')"
    return f"select id, {number} as number from {{{{ {read} }}}}\n"


def _starts(prefix: Path, way: str) -> tuple[list[float], list[float]]:
    """Seconds of the first start and of the second, for each of SIDES."""
    with folder() as home:
        sides = [_Place(home / str(number), prefix, way) for number in range(len(SIDES))]
        first = [_start(side, place) for side, place in enumerate(sides)]
        second = [_start(side, place) for side, place in enumerate(sides)]
    return first, second


class _Place:
    """One side's copy of the project and its own folders."""

    def __init__(self, folder: Path, prefix: Path, way: str) -> None:
        self.prefix = prefix
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.project = write(folder / "project", prefix, way)
        self.model = self.project / "shop" / "models" / f"model_{MODELS - 1}.sql"


def _start(side: int, place: _Place) -> float:
    began = time.monotonic()
    with _running(side, place) as running:
        running.until_loaded()
        return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class _Running:
    """One of SIDES; `saved(tag)` returns when it has the tag."""

    until_loaded: Callable[[], object]
    saved: Callable[[str], object]
    client: Callable[[], Client] | None


@contextmanager
def _running(side: int, place: _Place) -> Iterator[_Running]:
    with ExitStack() as stack:
        if side == 0:
            daemon = stack.enter_context(running(place.project, place.home))
            yield _Running(daemon.until_serving, _registry(daemon, place), daemon.client)
        elif side == 1:
            ours = stack.enter_context(_dagster.ours(place.project, place.home))
            yield _Running(lambda: ours.until_loaded(1), _page(ours, place), _client(ours))
        else:
            command = _dagster.dagster_dev(place.project, place.prefix, place.home)
            dagsters = stack.enter_context(command)
            yield _Running(lambda: dagsters.until_loaded(1), _page(dagsters, place, True), None)


def _client(side: Side) -> Callable[[], Client]:
    def client() -> Client:
        (control,) = side.home.glob("run/codelocd/*/control.sock")
        return Client(str(control))

    return client


def _registry(daemon: Daemon, place: _Place) -> Callable[[str], object]:
    def saved(tag: str) -> None:
        with daemon.client() as client:
            events = iter(client.subscribe(["definitions"]))
            next(events)  # what there is already
            _save(place, tag)
            for event in events:
                if tag in str(event["data"].get("changed")):
                    return

    return saved


def _page(side: Side, place: _Place, reload: bool = False) -> Callable[[str], object]:
    def has(tag: str) -> bool:
        data = side.ask(TAGS, name=place.model.stem) or {}
        node: dict[str, Any] = data.get("assetNodeOrError") or {}
        return tag in [each["key"] for each in node.get("tags", ())]

    def saved(tag: str) -> None:
        _save(place, tag)
        if reload:
            side.ask(_dagster.RELOAD)
        side.until(lambda: has(tag))

    return saved


def _save(place: _Place, tag: str) -> None:
    place.model.write_text(TAGGED.format(tag=tag) + _model(MODELS - 1))


@dataclass(frozen=True, slots=True)
class _Saves:
    """`seconds`: for each save, of each side; `loads`: unasked, of codelocd's two."""

    definitions: int
    kilobytes: float
    seconds: list[list[float]]
    loads: list[int]


def _saves(prefix: Path, way: str, runs: int) -> _Saves:
    with folder() as home, ExitStack() as stack:
        places = [_Place(home / str(number), prefix, way) for number in range(len(SIDES))]
        sides = [stack.enter_context(_running(*each)) for each in enumerate(places)]
        for side in sides:
            side.until_loaded()
        clients = [side.client for side in sides if side.client is not None]
        _save_all(sides, "warm_up")
        before = [_generation(client) for client in clients]
        seconds = [_save_all(sides, f"tag_{run}") for run in range(runs)]
        time.sleep(QUIET_SECONDS)
        loads = [_generation(client) - at for client, at in zip(clients, before, strict=True)]
        with clients[0]() as client:
            listed = client.call("definitions")["definitions"]
        size = len(json.dumps(listed, ensure_ascii=False).encode()) / 1000
        return _Saves(len(listed), size, seconds, [number - runs for number in loads])


def _save_all(sides: Sequence[_Running], tag: str) -> list[float]:
    def save(side: _Running) -> float:
        began = time.monotonic()
        side.saved(tag)
        return time.monotonic() - began

    return [save(side) for side in sides]


def _generation(client: Callable[[], Client]) -> int:
    with client() as asking:
        (entry,) = asking.call("status")["locations"]
        generation: int = entry["generation"]
        return generation


if __name__ == "__main__":
    alone(measure, __doc__)
