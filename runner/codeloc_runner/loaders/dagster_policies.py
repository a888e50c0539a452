"""When Dagster makes an asset by itself, how fresh it is to be, how it is filled in afterwards."""

from __future__ import annotations

import contextlib

from ..plain import class_name, kept, text
from .dagster_facts import fact

CONDITION_CHARACTERS = 4096

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    Known = Dict[int, Tuple[object, str]]


def automation(condition: Any) -> Optional[str]:
    """What a condition is called, else its kind and what it is put together from."""
    return None if condition is None else called(condition, {})


def called(condition: Any, known: Known) -> str:
    """`known`: the parts by id. One that occurs in several others is put together once."""
    if id(condition) not in known:
        known[id(condition)] = (condition, class_name(condition))  # while it is asked
        with contextlib.suppress(Exception):  # a class of the user's own
            told = text(put_together(condition, known), CONDITION_CHARACTERS)
            known[id(condition)] = (condition, told)
    return known[id(condition)][1]


def put_together(condition: Any, known: Known) -> str:
    label = fact(condition, "get_label", lambda: None)()
    if label:
        return str(kept(label))
    name = fact(condition, "name")
    name = str(kept(name)) if name else class_name(condition)
    parts = [called(one, known) for one in fact(condition, "children") or ()]
    return f"{name}({', '.join(parts)})" if parts else name


def backfill_policy(definition: Any) -> Optional[Dict[str, Any]]:
    """`single_run`, or `multi_run` with the number of partitions that one run takes."""
    policy = fact(definition, "backfill_policy")
    if policy is None:
        return None
    at_most = kept(policy.max_partitions_per_run)
    return {
        "type": "single_run" if at_most is None else "multi_run",
        "max_partitions_per_run": at_most,
    }


def freshness_policy(policy: Any) -> Optional[Dict[str, Any]]:
    """By type: `time_window`, `cron`, or the `maximum_lag` of former versions; times in seconds."""
    if fact(policy, "fail_window") is not None:
        return {
            "type": "time_window",
            "fail_window": seconds(policy.fail_window),
            "warn_window": seconds(policy.warn_window),
        }
    if fact(policy, "deadline_cron") is not None:
        return {
            "type": "cron",
            "deadline_cron": policy.deadline_cron,
            "lower_bound": seconds(policy.lower_bound_delta),
            "timezone": policy.timezone,
        }
    return maximum_lag(policy)


def maximum_lag(policy: Any) -> Optional[Dict[str, Any]]:
    minutes = fact(policy, "maximum_lag_minutes")
    if minutes is None:
        return None
    return {
        "type": "maximum_lag",
        "maximum_lag": float(minutes) * 60,
        "cron": policy.cron_schedule,
        "timezone": policy.cron_schedule_timezone,
    }


def seconds(delta: Any) -> Optional[float]:
    """Of a timedelta, or of the form in which Dagster serializes one."""
    if delta is None:
        return None
    duration = fact(delta, "to_timedelta", lambda: delta)()
    return float(duration.total_seconds())
