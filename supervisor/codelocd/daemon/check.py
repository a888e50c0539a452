"""Builds and loads every location once, without a daemon, and reports what fails."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.core import problems, registry
from codelocd.daemon.application import Application
from codelocd.daemon.location import Location
from codelocd.daemon.status import environment
from codelocd.daemon.subscriptions import LocalSubscriber
from codelocd.model import Config, LocationSpec
from codelocd.storage.paths import DaemonPaths

if TYPE_CHECKING:
    from codelocd.documents.answers import CheckDocument, CheckedLocation
    from codelocd.documents.events import BuildStep, TopicEvent


def run(
    config: Config,
    paths: DaemonPaths,
    *,
    in_full: bool = False,
    told: Callable[[CheckedLocation], None] = lambda _: None,
    progress: Callable[[BuildStep], None] | None = None,
) -> CheckDocument:
    """The `check --json` document, `in_full` with all definitions and edges in it.

    Blocks until every location has loaded or failed; `told` gets the entry of each as soon as
    it has, `progress` each step of a build, as the topic `builds` has it.
    """
    with tempfile.TemporaryDirectory(prefix="codelocd-check-") as folder:
        private = replace(
            paths, state_dir=Path(folder), runtime_dir=Path(folder), socket=Path(folder, "none")
        )
        return asyncio.run(_check(once(config), private, in_full, told, progress))


async def _check(
    config: Config,
    paths: DaemonPaths,
    in_full: bool,
    told: Callable[[CheckedLocation], None],
    progress: Callable[[BuildStep], None] | None,
) -> CheckDocument:
    application = Application(config, paths, lambda _: None, development=True)
    if progress is not None:
        follow_builds(application, progress)
    try:
        application.apply(config, now=True)

        async def outcome(location: Location) -> None:
            await location.settled()
            told(checked_location(location, application.publisher.registry))

        await asyncio.gather(*map(outcome, application.locations.values()))
        listed = application.publisher.registry
        found: CheckDocument = {
            "locations": [
                checked_location(each, listed) for each in application.locations.values()
            ],
            "conflicts": registry.conflicts(listed),
        }
        if in_full:
            found["definitions"], found["edges"] = listed.definitions(), registry.edges(listed)
        return found
    finally:
        await application.close()


def follow_builds(application: Application, progress: Callable[[BuildStep], None]) -> None:
    """`progress` gets each step of a build."""

    def observe(event: TopicEvent) -> None:
        if event["topic"] == "builds" and "phase" in event["data"]:
            progress(event["data"])

    application.hub.subscribe(LocalSubscriber(observe), ("builds",), None, lambda _: {})


def checked_location(location: Location, listed: registry.Registry) -> CheckedLocation:
    """One location of the `check --json` document."""
    return {
        "name": location.name,
        "ok": location.state.serving is not None,
        "problem": problems.as_json(location.state.problem, location.name),
        "definitions": listed.counts(location.name),
        "environment": environment(location, location.serving),
    }


def once(config: Config) -> Config:
    """The same locations with rules that fit a check: each is tried once, and none is watched."""
    tried = tuple(_tried_once(spec) for spec in config.own)
    return replace(config, locations=tried, dagster=replace(config.dagster, serve=False))


def _tried_once(spec: LocationSpec) -> LocationSpec:
    return replace(
        spec, policy=replace(spec.policy, restart="never", reload="manual", start_method="spawn")
    )
