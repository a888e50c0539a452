"""The config that runs, and whether its files still say the same."""

from __future__ import annotations

import asyncio
import functools
import shutil
import threading
from pathlib import Path

import pytest

from codelocd.config import load
from codelocd.core.config_diff import ConfigDiff, plan
from codelocd.daemon.config_watch import REMOVES, ConfigState, ConfigWatch
from codelocd.model import Config, LocationSpec, Target
from codelocd.watch.watch import SourceWatch

ONE = '[location.one]\nmodule = "one"\n'
TWO = '[location.two]\nmodule = "two"\n'


class Followed:
    """A config that was read while the file said ONE, and is followed since it says `text`."""

    def __init__(self, folder: Path, text: str, *, apply: bool) -> None:
        file = folder / "codelocd.toml"
        read = functools.partial(load, file, {}, activated=False)
        self.applied: list[list[str]] = []
        self.told: list[ConfigState] = []
        file.write_text(ONE)
        self.watch = ConfigWatch(read(), read, self._apply, self.told.append)
        file.write_text(text)
        asyncio.run(self._follow(apply))

    async def _follow(self, apply: bool) -> None:
        loop = asyncio.get_running_loop()
        sources = SourceWatch(lambda name, _: pytest.fail(f"{name} is no location"), print, loop)
        await self.watch.follow(sources, apply=apply)
        self.watch.close()
        sources.close()

    def _apply(self, config: Config) -> ConfigDiff:
        self.applied.append([location.name for location in config.locations])
        return plan({}, config.locations)


def test_what_was_saved_before_the_watches_stood_is_applied(tmp_path: Path) -> None:
    followed = Followed(tmp_path, ONE + TWO, apply=True)
    assert followed.applied == [["one", "two"]]
    assert [state.state for state in followed.told] == ["applied"]


def test_what_was_saved_before_the_watches_stood_is_told_where_it_is_not_applied(
    tmp_path: Path,
) -> None:
    followed = Followed(tmp_path, ONE + TWO, apply=False)
    assert followed.applied == []
    assert followed.watch.state.state == "changed"


@pytest.mark.parametrize("apply", [True, False])
def test_a_mistake_that_was_saved_before_the_watches_stood_is_told(
    tmp_path: Path, *, apply: bool
) -> None:
    followed = Followed(tmp_path, ONE + "relod = 1\n", apply=apply)
    assert followed.applied == []
    assert followed.watch.state.state == "invalid"


@pytest.mark.parametrize("apply", [True, False])
def test_a_config_that_says_the_same_is_no_news(tmp_path: Path, *, apply: bool) -> None:
    followed = Followed(tmp_path, ONE + "# a comment\n", apply=apply)
    assert (followed.applied, followed.told) == ([], [])


class Edited:
    """A config of so many locations that `dev` follows while it is edited."""

    def __init__(self, folder: Path, names: str) -> None:
        self._file = folder / "codelocd.toml"
        self._file.write_text(tables(names))
        read = functools.partial(load, self._file, {}, activated=False)
        self._news = asyncio.Event()
        self.applied: list[str] = []
        self.watch = ConfigWatch(read(), read, self._apply, lambda _: self._news.set())
        loop = asyncio.get_running_loop()
        self.sources = SourceWatch(
            lambda name, _: pytest.fail(f"{name} is no location"), print, loop
        )

    async def begin(self) -> Edited:
        await self.watch.follow(self.sources, apply=True)
        return self

    def _apply(self, config: Config) -> ConfigDiff:
        self.applied.append("".join(location.name for location in config.locations))
        return plan({}, config.locations)

    async def says(self, text: str) -> ConfigState:
        """What is said of it in the end."""
        self._news.clear()
        self._file.write_text(text)
        await asyncio.wait_for(self._news.wait(), 30)
        return self.watch.state

    def close(self) -> None:
        self.watch.close()
        self.sources.close()


def tables(names: str) -> str:
    return "".join(f'[location.{name}]\nmodule = "{name}"\n' for name in names)


async def test_a_daemon_whose_folder_is_gone_says_so(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "codelocd.toml").write_text(ONE)
    monkeypatch.chdir(folder)

    def read() -> Config:
        return load(Path.cwd() / "codelocd.toml", {}, activated=False)

    watch = ConfigWatch(read(), read, lambda _: plan({}, ()), lambda _: None)
    shutil.rmtree(folder)
    assert await watch.read_apart() is None
    said = "the folder that the daemon was started in no longer exists"
    assert (watch.state.state, watch.state.problem) == ("invalid", said)


async def test_a_config_of_many_mistakes_is_read_beside_the_loop(tmp_path: Path) -> None:
    """The first time, too, which is before anything has changed."""
    file = tmp_path / "codelocd.toml"
    file.write_text(ONE)
    threads: list[threading.Thread] = []

    def read() -> Config:
        threads.append(threading.current_thread())
        return load(file, {}, activated=False)

    config = load(file, {}, activated=False)
    watch = ConfigWatch(config, read, lambda _: plan({}, ()), lambda _: None)
    mistakes = [f'[location.a{n}]\npython_fill = "a"\n' for n in range(3000)]
    file.write_text(ONE + "".join(mistakes))
    loop = asyncio.get_running_loop()
    sources = SourceWatch(lambda name, _: pytest.fail(f"{name} is no location"), print, loop)
    await watch.follow(sources, apply=False)
    assert watch.state.state == "invalid"
    assert watch.state.problem is not None
    assert len(watch.state.problem.splitlines()) >= 3000
    assert await watch.read_apart() is None
    assert threads
    assert threading.main_thread() not in threads
    watch.close()
    sources.close()


@pytest.mark.parametrize("left", ["", "a"])
async def test_a_config_that_lost_most_of_its_locations_waits_for_apply(
    tmp_path: Path, left: str
) -> None:
    edited = await Edited(tmp_path, "abcd").begin()
    state = await edited.says(tables(left) or "[daemon]\n")
    assert edited.applied == []
    assert state.state == "changed"
    assert state.problem is not None
    assert f"{4 - len(left)} of 4 locations" in state.problem
    assert REMOVES in state.problem
    config = await edited.watch.read_apart()
    assert config is not None
    edited.watch.take(config)
    assert edited.applied == [left]
    assert edited.watch.state.state == "applied"
    edited.close()


async def test_a_half_done_write_of_a_config_removes_nothing(tmp_path: Path) -> None:
    edited = await Edited(tmp_path, "abcd").begin()
    whole, cut = tables("abcd") + "# more\n", tables("abc")
    states = [edited.says(cut), edited.says(whole)]
    await asyncio.gather(*states)
    assert edited.applied == ["abcd"]
    edited.close()


async def test_a_location_that_was_taken_out_is_removed_once_the_config_rests(
    tmp_path: Path,
) -> None:
    edited = await Edited(tmp_path, "abcd").begin()
    await edited.says(tables("abc"))
    assert edited.applied == ["abc"]
    edited.close()


@pytest.mark.parametrize(
    ("before", "after", "is_rash"),
    [("abcd", "ab", False), ("abcd", "a", True), ("a", "", True), ("a", "b", False)],
)
def test_what_removes_most_and_adds_less_is_rash(before: str, after: str, *, is_rash: bool) -> None:
    specs = {name: LocationSpec(name, Target("module", name), Path("/"), "") for name in "abcd"}
    change = plan({name: specs[name] for name in before}, [specs[name] for name in after])
    assert change.is_rash(len(before)) is is_rash
