"""The config that runs, and whether its files still say the same."""

import asyncio
import functools
from pathlib import Path

import pytest

from codelocd.config import load
from codelocd.core.config_diff import ConfigDiff, plan
from codelocd.daemon.config_watch import ConfigState, ConfigWatch
from codelocd.model import Config
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
        self.watch.follow(sources, apply=apply)
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
