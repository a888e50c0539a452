"""Who is told of what was found in files, and when."""

import asyncio
from pathlib import Path

from codelocd.watch.notices import Change, Watched
from codelocd.watch.watch import SourceWatch
from tests.supervisor.watch.listening import DEADLINE


class Several:
    """Locations that share one folder; collects who was told of what."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[tuple[str, tuple[str, ...]]] = []
        self._news = asyncio.Event()
        self.watch = SourceWatch(self._on_change, print, asyncio.get_running_loop())

    def follow(self, location: str, file: Path) -> None:
        root = str(self.folder)
        names = frozenset({str(file)})
        self.watch.follow(location, Watched(names, (root,), (), (), root, frozenset()))
        self.watch.begin(location)

    async def until_told(self, *locations: str) -> None:
        async with asyncio.timeout(DEADLINE):
            while not {name for name, _ in self.told}.issuperset(locations):
                self._news.clear()
                await self._news.wait()

    def _on_change(self, location: str, change: Change) -> None:
        self.told.append((location, change.paths))
        self._news.set()


async def test_a_new_module_is_told_to_all_and_an_alteration_to_its_readers(tmp_path: Path) -> None:
    several = Several(tmp_path)
    files = {name: tmp_path / f"{name}.py" for name in ("one", "two")}
    for file in files.values():
        file.write_text("")
    for name, file in files.items():
        several.follow(name, file)
    written(tmp_path / "three.py")
    await several.until_told("one", "two")
    assert {paths for _, paths in several.told} == {(str(tmp_path / "three.py"),)}
    for name in files:
        several.watch.begin(name)
    several.told.clear()
    written(files["one"])
    written(tmp_path / "four.py")
    await several.until_told("one", "two")
    assert all(str(files["one"]) not in paths for name, paths in several.told if name == "two")
    several.watch.close()


async def test_what_one_location_found_first_is_news_to_the_others(tmp_path: Path) -> None:
    several, shared = Several(tmp_path), tmp_path / "shared.py"
    shared.write_text("")
    for name in ("one", "two"):
        several.follow(name, shared)
    written(shared)
    several.watch.loaded("one", {})  # looks at once, before any notice is delivered
    await several.until_told("one", "two")
    assert {paths for _, paths in several.told} == {(str(shared),)}
    several.watch.close()


def written(file: Path) -> None:
    """At once: a look never finds half of it."""
    fresh = file.with_suffix(".new")
    fresh.write_text("new")
    fresh.replace(file)
