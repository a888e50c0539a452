"""What the methods of the control socket about schedules and sensors do."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from codelocd.core.nearest import advice
from codelocd.daemon import params as take
from codelocd.daemon.actions import Method
from codelocd.daemon.params import Params
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.runs.cron import zone_of
from codelocd.runs.sensing import last_look
from codelocd.runs.ticks import OPEN, Schedule, Tick, UnfitSchedule, place_of

if TYPE_CHECKING:
    from codelocd.core.registry import Registry
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.runs.schedule_table import KnownTicks
    from codelocd.daemon.runs.starters import RunStarters
    from codelocd.documents.schedules import (
        LastTick,
        ScheduleDocument,
        SchedulesDocument,
        ScheduleSwitched,
        SensorPart,
        TickDocument,
    )
    from codelocd.runs.sensing import KeptSensor

KINDS = ("schedule", "sensor")
MOST = 1000
"""Rows of one schedule that are told at most."""
UPCOMING = 5
DAGSTERS = "Dagster's daemon ticks it"

Listed = Mapping[str, Any]


class ScheduleAnswers:
    """Each answers with documents of `codelocd.documents.schedules`."""

    def __init__(self, starters: RunStarters, locations: Locations) -> None:
        self._starters = starters
        self._locations = locations
        self.by_name: dict[str, Method] = {"schedules": self._schedules, "schedule_set": self._set}

    async def _schedules(self, _peer: Peer, params: Params) -> SchedulesDocument:
        """With `ticks`, each comes with its newest ticks, at most so many, and its next times."""
        names = self._locations.known(take.texts(params, "locations"))
        name, repository = (
            take.optional_text(params, "name"),
            take.optional_text(params, "repository"),
        )
        count = min(take.number(params, "ticks", 0), MOST)
        registry = self._starters.registry
        found = await _found(registry, names, name, repository)
        if name is not None and not found:
            raise await self._unknown(registry, names, name)
        known = await self._starters.known()
        documents = [self._document(each, known) for each in found]
        if count:
            for document, definition in zip(documents, found, strict=True):
                document["upcoming"] = _upcoming(definition, known)
                rows = await known.ticks(place_of(definition), count)
                document["newest"] = [tick_document(row) for row in rows]
        return {"schedules": documents}

    async def _set(self, _peer: Peer, params: Params) -> ScheduleSwitched:
        location, name = take.text(params, "location"), take.text(params, "name")
        self._locations.known([location])
        registry = self._starters.registry
        found = await _found(registry, [location], name, take.optional_text(params, "repository"))
        if not found:
            raise await self._unknown(registry, [location], name)
        if len(found) > 1:
            several = ", ".join(each["repository"] for each in found)
            raise RpcError("usage", f"{location}/{name} is in several repositories: {several}")
        (definition,) = found
        if not self._is_ours(location):
            what = f"{location}/{name} is Dagster's"
            raise RpcError(
                "usage", f"{what}: switch it on Dagster's page, or with `dagster schedule`"
            )
        if params.get("enabled") is None:
            raise RpcError("usage", "enabled is missing")
        enabled = take.flag(params, "enabled", default=False)
        await self._starters.switch(place_of(definition), enabled=enabled)
        return {"schedule": self._document(definition, await self._starters.known())}

    async def _unknown(
        self, registry: Registry, names: Collection[str] | None, name: str
    ) -> RpcError:
        known = sorted({each["name"] for each in await _found(registry, names, None, None)})
        where = ", ".join(names) if names is not None else "any location"
        what = f"there is no schedule and no sensor {name!r} in {where}"
        return RpcError("unknown", f"{what}; {advice(name, known)}")

    def _is_ours(self, location: str) -> bool:
        return self._starters.are_native(location)

    def _document(self, definition: Listed, known: KnownTicks) -> ScheduleDocument:
        place = place_of(definition)
        rows = known.table.last.get(place, [])
        ours = self._is_ours(place.location)
        why = self._why_not(definition, known) if ours else DAGSTERS
        usual = definition.get("enabled", True) is not False
        if not ours:
            usual = definition.get("default_status") == "RUNNING"
        document: ScheduleDocument = {
            "location": place.location,
            "repository": place.repository,
            "name": place.name,
            "kind": definition["kind"],
            "cron": definition.get("cron"),
            "timezone": definition.get("timezone"),
            "minimum_interval": definition.get("minimum_interval"),
            "job": definition.get("job"),
            "enabled": known.table.switches.get(place, usual) if ours else usual,
            "ticks": ours and self._starters.ticks and place not in known.table.unfit,
            "why": why,
            "next": known.table.times.of(place),
            "last": _last(rows),
            "missed": sum(each.count for each in rows),
        }
        if definition["kind"] == "sensor" and ours:
            return {**document, **_sensor_part(known.sensors.get(place), known.asked(place))}
        return document

    def _why_not(self, definition: Listed, known: KnownTicks) -> str | None:
        if not self._starters.ticks:
            return self._starters.why_not
        place = place_of(definition)
        if place in known.table.unfit:
            return known.table.unfit[place]
        return self._starters.why_held(place.location)


def _sensor_part(kept: KeptSensor | None, due: float | None) -> SensorPart:
    """What differs of a sensor of ours."""
    if kept is None:
        return {"next": due, "last": None, "cursor": None, "failures": 0}
    last: Any = last_look(kept)
    return {"next": due, "last": last, "cursor": kept.cursor, "failures": kept.failures}


async def _found(
    registry: Registry, names: Collection[str] | None, name: str | None, repository: str | None
) -> list[Listed]:
    """The schedules and sensors that are meant, by location and as the code has them."""

    def search() -> list[Listed]:
        return [
            each
            for each in registry.definitions(names)
            if each["kind"] in KINDS
            and name in (None, each["name"])
            and repository in (None, each["repository"])
        ]

    return await asyncio.to_thread(search) if registry.is_large(names) else search()


def _upcoming(definition: Listed, known: KnownTicks) -> list[float]:
    """The next times of one that is on."""
    place = place_of(definition)
    if known.table.times.of(place) is None:
        return []
    try:
        schedule = Schedule.of(definition, zone_of)
    except UnfitSchedule:
        return []
    first = known.table.times.of(place) or 0.0
    times = schedule.cron.after(first - schedule.delay - 1.0, schedule.zone)
    return list(islice(times, UPCOMING))


def _last(rows: list[Tick]) -> LastTick | None:
    if not rows:
        return None
    newest = rows[-1]
    return {
        "at": newest.at,
        "scheduled_for": newest.scheduled_for,
        "state": _state(newest),
        "run": newest.runs[0] if newest.runs else None,
        "why": newest.why,
    }


def tick_document(tick: Tick) -> TickDocument:
    """A row as clients are told it."""
    return {
        "scheduled_for": tick.scheduled_for,
        "at": tick.at,
        "state": _state(tick),
        "why": tick.why,
        "runs": list(tick.runs),
        "count": tick.count,
    }


def _state(tick: Tick) -> Any:
    """For clients a tick waits until it has an outcome."""
    return "waiting" if tick.state in OPEN else tick.state
