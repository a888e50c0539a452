"""What clients wish to be run: understood, and given the policy that code and config state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codelocd.daemon import params as take
from codelocd.daemon.params import Params
from codelocd.dagster.instance import VARIABLE as HOME
from codelocd.rpc.errors import RpcError
from codelocd.runs.dagster import DAGSTER, unfit_config
from codelocd.runs.model import RunWish
from codelocd.runs.names import UnfitNames, chosen
from codelocd.runs.policy import policy_of

if TYPE_CHECKING:
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.runs.served import LocationCode, ServedCodes

CHECKS = ("with", "without", "only")
LONGEST_KEY = 500
"""Characters of a key."""
LARGEST = 256 * 1024
"""Bytes of parameters, tags and the rest of one wish as JSON: it is kept with the run."""


def with_policy(
    wish: RunWish, locations: Locations, codes: ServedCodes, timeout: float | None = None
) -> RunWish:
    """The wish with what its job and its assets state, as far as that is known now."""
    location, served = locations.get(wish.location), codes.of(wish.location)
    policy = wish.policy
    if location is not None:
        policy = replace(policy, stop_timeout=location.spec.policy.stop_timeout)
    listed = codes.listed(wish.location) if served is None else served.definitions
    policy = policy_of(wish, listed, policy)
    if wish.dagster_run is not None:
        policy = replace(policy, retries=0)  # another attempt is another run of Dagster's
    return replace(wish, policy=replace(policy, timeout=timeout or policy.timeout))


def wish_of(params: Params, location: str, served: LocationCode, user: str | None) -> RunWish:
    """What a client wishes of a location. `user`: who it is. Raises RpcError."""
    _refuse_unreachable(location, served)
    names, select = take.texts(params, "names") or [], take.texts(params, "select") or []
    try:
        repository = take.optional_text(params, "repository")
        choice = chosen(names, select, location, served.definitions, repository)
    except UnfitNames as error:
        raise RpcError(error.kind, str(error)) from None
    wish = RunWish(
        location,
        choice.repository,
        choice.job,
        choice.select,
        upstream=take.flag(params, "upstream", default=False),
        checks=take.choice(params, "checks", CHECKS) or "with",
        params=take.mapping(params, "params"),
        config=_config(params, served),
        tags=_texts(params, "tags"),
        by=asked_by(params, user),
        key=_key(params),
    )
    _refuse_unfit([wish.params, wish.config, wish.tags, wish.by, wish.select])
    return wish


def launched_wish(params: Params, location: str, served: LocationCode) -> RunWish:
    """A run that Dagster's page or daemon has recorded and launched. Raises RpcError."""
    _refuse_unreachable(location, served)
    told = take.mapping(params, "dagster_run")
    home = take.optional_text(told, "home")
    if served.loader != DAGSTER:
        raise RpcError("usage", f"{location} has no definitions of Dagster's")
    if served.spec.variables.get(HOME, home) != home:
        raise RpcError("usage", f"{location} has an instance of its own: {HOME} in its `env`")
    assets = take.texts(told, "assets")
    job = None if assets else take.text(told, "job")
    wish = RunWish(
        location,
        take.text(told, "repository"),
        job,
        tuple(assets) if assets else None,
        tags=_texts(params, "tags"),
        by=asked_by(params, None),
        key=_key(params),
        dagster_run=take.text(told, "id"),
    )
    _refuse_unfit([wish.tags, wish.by, wish.select])
    return wish


def _refuse_unreachable(location: str, served: LocationCode) -> None:
    """Another user cannot write to the instance in the daemon's own folder."""
    is_dagsters = served.loader == DAGSTER
    if is_dagsters and served.order.account is not None and HOME not in served.spec.variables:
        what = f"{location} runs as another user, who cannot reach the daemon's Dagster instance"
        raise RpcError("usage", f"{what}; give it an instance of its own: {HOME} in its `env`")


def _config(params: Params, served: LocationCode) -> Mapping[str, Any] | None:
    """A run config, which only Dagster's runs have, and which is all that those have."""
    config = None if params.get("config") is None else take.mapping(params, "config")
    why = unfit_config(served.loader, take.mapping(params, "params"), config)
    if why is not None:
        raise RpcError("usage", why)
    return config


def asked_by(params: Params, user: str | None) -> dict[str, str]:
    """What a client says of itself, and the user that it is."""
    told = {"kind": "client", **_texts(params, "by")}
    return told if user is None else {**told, "user": user}


def _key(params: Params) -> str | None:
    key = take.optional_text(params, "key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise RpcError("usage", f"key must have 1 to {LONGEST_KEY} characters")
    return key


def _texts(params: Params, name: str) -> Mapping[str, str]:
    given = take.mapping(params, name)
    if not all(type(key) is str and type(each) is str for key, each in given.items()):
        raise RpcError("usage", f"{name} must be a map from strings to strings")
    return dict(given)


def _refuse_unfit(parts: list[Any]) -> None:
    """What cannot be written as JSON, or is too large to be kept."""
    try:
        size = len(json.dumps(parts))
    except (TypeError, ValueError) as error:
        raise RpcError("usage", f"params, config, tags and by must be JSON: {error}") from None
    if size > LARGEST:
        what = f"params, config, tags and by take {size} bytes"
        raise RpcError("usage", f"{what}, at most {LARGEST} may be")
