"""All locations of a daemon, by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from codeloc_envs import Environment
from codelocd.core import events
from codelocd.core.nearest import advice
from codelocd.daemon import sources
from codelocd.daemon.location import Location
from codelocd.model import LocationSpec
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import RunnerHandle
from codelocd.watch.notices import Change


class Locations(dict[str, Location]):
    """The supervised locations by name; `external` are code servers that other programs run."""

    def __init__(self) -> None:
        super().__init__()
        self.judge: Callable[[Location, Change], Change | None] = lambda _, change: change
        """Returns the part of a change that counts, None if none does."""
        self.external: dict[str, LocationSpec] = {}

    def names(self) -> list[str]:
        """The names of all locations, sorted."""
        return sorted({*self, *self.external})

    def supervised(self, name: str) -> Location:
        """The location of that name. Raises RpcError if there is none, or if it is external."""
        if name in self.external:
            raise RpcError("usage", f"location {name!r} is a code server of its own: ask that one")
        location = self.get(name)
        if location is None:
            known = advice(name, self.names())
            raise RpcError("unknown", f"there is no location {name!r}; {known}")
        return location

    def known(self, names: Iterable[str] | None) -> list[str] | None:
        """The names as a list, each once; None means all. Raises RpcError for a name that no
        location has."""
        if names is None:
            return None
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            if name not in self.external:
                self.supervised(name)
        return chosen

    def changed(self, name: str, change: Change) -> None:
        """The watch saw content that the newest attempt has not seen."""
        location = self.get(name)
        if location is None or location.spec.policy.reload == "manual":
            return
        judged = self.judge(location, change)
        if judged is None:
            return
        change = judged
        location.changed_at, location.saved_at = time.time(), sources.newest(change.paths)
        inputs = change.inputs or sources.describes_environment(location.spec, change.paths)
        location.tell(events.SourcesChanged(change.differing, inputs, change.locked, change.paths))

    def runners(self) -> dict[str, RunnerHandle | None]:
        """The runner that serves, of each supervised location."""
        serving = ((name, each.serving) for name, each in self.items())
        return {name: its.handle if its is not None else None for name, its in serving}

    def longest_stop(self) -> float:
        """The largest `stop_timeout`, in seconds."""
        return max((each.spec.policy.stop_timeout for each in self.values()), default=0.0)

    def environments(self) -> Iterator[tuple[Location, Environment]]:
        """The environment of each location that has one."""
        for location in self.values():
            if location.environment is not None:
                yield location, location.environment

    async def settled(self) -> None:
        """Returns when the present attempt of every location has had an outcome."""
        for location in tuple(self.values()):
            await location.settled()

    async def native(self) -> list[str]:
        """After their first outcomes: the locations whose definitions are not Dagster's."""
        await self.settled()
        loaded = {name: each.snapshot for name, each in self.items()}
        return sorted(name for name, its in loaded.items() if its and its.loader == "native")
