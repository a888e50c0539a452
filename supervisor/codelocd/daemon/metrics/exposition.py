"""Makes the metrics of a daemon in the formats of Prometheus and OpenMetrics.

Imported at the first scrape only: `prometheus_client` takes a tenth of a second and 8 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from codelocd import __version__
from codelocd.core.registry import Registry, conflicts
from codelocd.daemon.metrics.tally import Durations, Tally
from codelocd.model import Phase

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus

STATES = (*Phase, "external")
"""Every `state` of the contract."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is looked up in the daemon for one scrape.

    `entries`: those of `status`. `written`, `dropped`: bytes of output by location. `noticed`:
    events of the file system. `connections`: clients of the control socket. `applied`: whether
    the config is the one that its files say.
    """

    entries: tuple[LocationStatus, ...]
    registry: Registry
    tally: Tally
    written: Mapping[str, int]
    dropped: Mapping[str, int]
    noticed: int
    connections: int
    applied: bool


def exposed(reading: Reading, accepted: str) -> tuple[bytes, str]:
    """The metrics and their content type, as the scraper's `Accept` header asks. Blocks."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)  # memory, CPU and descriptors of the daemon itself
    registry.register(_Families([*_daemon(reading), *_locations(reading), *_counts(reading)]))
    encode, content_type = choose_encoder(accepted)
    return encode(registry), content_type


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _daemon(reading: Reading) -> Iterator[Metric]:
    version = GaugeMetricFamily(
        "codelocd_build_info", "1; the version is the label.", labels=["version"]
    )
    version.add_metric([__version__], 1)
    yield version
    yield GaugeMetricFamily(
        "codelocd_config_applied",
        "Whether the daemon runs what its config files say now.",
        value=reading.applied,
    )
    yield GaugeMetricFamily(
        "codelocd_registry_revision", "Grows with each change.", value=reading.registry.revision
    )
    yield GaugeMetricFamily(
        "codelocd_registry_conflicts",
        "Assets that more than one location defines.",
        value=len(conflicts(reading.registry)),
    )
    yield GaugeMetricFamily(
        "codelocd_connections", "Clients of the control socket.", value=reading.connections
    )
    yield CounterMetricFamily(
        "codelocd_watch_events", "Events of the file system.", value=reading.noticed
    )


def _locations(reading: Reading) -> Iterator[Metric]:
    entries = reading.entries
    state = GaugeMetricFamily(
        "codelocd_location_state", "1 for the state it is in.", labels=["location", "state"]
    )
    listed = GaugeMetricFamily(
        "codelocd_definitions", "Definitions listed.", labels=["location", "kind"]
    )
    for entry in entries:
        for each in STATES:
            state.add_metric([entry["name"], each], entry["state"] == each)
        for kind, number in entry["definitions"].items():
            listed.add_metric([entry["name"], kind], number)
    yield state
    yield listed
    own = [entry for entry in entries if entry["wanted"] is not None]
    wanted = {entry["name"]: bool(entry["wanted"]) for entry in own}
    yield _gauge("codelocd_location_wanted", "0 while a `stop` holds for it.", wanted)
    stale = {entry["name"]: entry["stale"] for entry in own}
    yield _gauge("codelocd_location_stale", "1: the newest source is not what serves.", stale)
    memory = {e["name"]: e["memory"] for e in own if e["memory"] is not None}
    yield _gauge("codelocd_location_memory_bytes", "PSS of the runner and its children.", memory)
    cpu = {e["name"]: e["cpu"] for e in own if e["cpu"] is not None}
    yield _gauge("codelocd_location_cpu_cores", "Processors in use between two scrapes.", cpu)
    yield _gauge(
        "codelocd_location_last_good_load_timestamp_seconds",
        "When what is listed was loaded.",
        reading.tally.last_good,
    )


def _counts(reading: Reading) -> Iterator[Metric]:
    tally = reading.tally
    own = [entry["name"] for entry in reading.entries if entry["wanted"] is not None]
    yield _counter(
        "codelocd_location_restarts",
        "Starts that the daemon decided on, by the kind of the problem.",
        ["location", "reason"],
        _with_zeros(tally.restarts, own, "crash"),
    )
    yield _counter(
        "codelocd_location_loads",
        "Attempts to load the code, by outcome.",
        ["location", "outcome"],
        _with_zeros(tally.loads, own, "served", "failed", "crashed"),
    )
    changes = {(name,): tally.changes[name] for name in own}
    what = "Times that sources changed."
    yield _counter("codelocd_location_source_changes", what, ["location"], changes)
    written = {(name,): reading.written.get(name, 0) for name in own}
    yield _counter("codelocd_location_log_bytes", "Output written.", ["location"], written)
    dropped = {(name,): reading.dropped.get(name, 0) for name in own}
    what = "Output that could not be written."
    yield _counter("codelocd_location_log_dropped_bytes", what, ["location"], dropped)
    what = "Requests at the control socket."
    yield _counter("codelocd_requests", what, ["method", "outcome"], tally.requests)
    what = "From the save, or the order, to the takeover beside a runner that served."
    yield _histogram("codelocd_reload_duration_seconds", what, "location", tally.reloads)
    what = "From the order to the loaded code; fork and spare are warm starts, spawn is a cold one."
    yield _histogram("codelocd_runner_start_duration_seconds", what, "method", tally.starts)
    what = "Choice and preparation of an environment."
    yield _histogram("codelocd_environment_duration_seconds", what, "outcome", tally.builds)


_Labels = TypeVar("_Labels", bound=tuple[str, ...])


def _with_zeros(
    counts: Counter[tuple[str, str]], locations: Iterable[str], *usual: str
) -> dict[tuple[str, str], int]:
    """A counter that appears with its first event has no increase, so that an alert misses it."""
    return {**{(name, each): 0 for name in locations for each in usual}, **counts}


def _gauge(name: str, what: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=["location"])
    for location, value in values.items():
        family.add_metric([location], value)
    return family


def _counter(name: str, what: str, labels: list[str], values: Mapping[_Labels, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _histogram(name: str, what: str, label: str, values: Mapping[str, Durations]) -> Metric:
    family = HistogramMetricFamily(name, what, labels=[label])
    for key, durations in values.items():
        family.add_metric([key], durations.buckets(), durations.sum)
    return family
