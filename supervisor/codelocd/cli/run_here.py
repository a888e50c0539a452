"""Runs what a location defines here and now, without a daemon and without a record of it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from codelocd.cli import local, output
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.output import LiveLine
from codelocd.cli.run_output import Form, RunOutput
from codelocd.cli.run_request import AskedRun, exit_code, unfit_names
from codelocd.cli.which import Asked
from codelocd.config.targets import Targets
from codelocd.model import Config, LocationSpec
from codelocd.render import runs as render
from codelocd.render.location import checked, step
from codelocd.render.text import one_line
from codelocd.runs.dagster import unfit_config
from codelocd.runs.encoding import run_document
from codelocd.runs.events import Moment
from codelocd.runs.model import RunPolicy, RunWish
from codelocd.runs.names import chosen, location_of
from codelocd.runs.policy import policy_of
from codelocd.storage.paths import UnsafeFolder

if TYPE_CHECKING:
    from codelocd.daemon.single_run import LoadedCode
    from codelocd.documents.events import BuildStep
    from codelocd.runs.model import RunRecord


def run(request: AskedRun, targets: Targets, form: Form) -> int:
    """The exit code, once it has ended."""
    shown = RunOutput(form, lambda _: os.kill(os.getpid(), signal.SIGTERM))  # that cancels it
    here = local.of_targets(targets, Asked())
    spec = _location(request.names, here.config)
    alone = replace(here, config=replace(here.config, locations=(spec,)))
    found = _carried_out(alone, lambda code: _wish(code, spec, request), shown)
    document = {**run_document(found, Moment(time.time(), time.monotonic())), "id": None}
    shown.ended(document)
    return exit_code(document, interrupted=found.stopping == "cancel")


def _wish(code: LoadedCode, spec: LocationSpec, request: AskedRun) -> RunWish:
    """Failure where there is no such job or asset, or it is not told what to do in its way."""
    why = unfit_config(code.loader, request.params, request.config)
    if why is not None:
        raise Failure(why, ExitCode.USAGE)
    with unfit_names():
        choice = chosen(
            request.names, request.select, spec.name, code.definitions, request.repository
        )
    wish = RunWish(
        spec.name,
        choice.repository,
        choice.job,
        choice.select,
        upstream=request.upstream,
        checks=request.checks,
        params=request.params,
        config=request.config,
        tags=request.tags,
    )
    return _with_policy(wish, code, spec, request.timeout)


def _with_policy(
    wish: RunWish, code: LoadedCode, spec: LocationSpec, timeout: float | None
) -> RunWish:
    usual = RunPolicy(stop_timeout=spec.policy.stop_timeout)
    policy = policy_of(wish, code.definitions, usual)
    return replace(wish, policy=replace(policy, timeout=timeout or policy.timeout))


def _location(names: tuple[str, ...], config: Config) -> LocationSpec:
    """The one that is meant; Failure, also where a run of it cannot be carried out here."""
    own = {spec.name: spec for spec in config.own}
    if not own:
        raise Failure("the config has no location whose code could be run", ExitCode.USAGE)
    with unfit_names():
        spec = own[location_of(names, list(own))]
    if spec.user is not None or spec.group is not None:
        what = f"{spec.name} is run as another user ({spec.declared_in})"
        raise Failure(f"{what}; without a daemon code is run as you", ExitCode.USAGE)
    if not spec.placement.is_local:
        what = f"{spec.name} is placed on nodes ({spec.declared_in})"
        raise Failure(f"{what}; without a daemon code is run on this machine", ExitCode.USAGE)
    return spec


def _carried_out(
    here: local.Local, wish_of: Callable[[LoadedCode], RunWish], shown: RunOutput
) -> RunRecord:
    from codelocd.daemon import single_run

    live = LiveLine(sys.stderr)

    def progress(data: BuildStep) -> None:
        live.show(f"{one_line(data['location'])}: {step(data, output.stderr_screen())}")

    def wished(code: LoadedCode) -> RunWish:
        live.clear()
        wish = wish_of(code)
        named = {"location": wish.location, "job": wish.job, "select": wish.select}
        shown.begins(render.what(named), f"Python {code.python}")
        return wish

    try:
        with live:
            return single_run.run(
                here.config, here.paths, wished, shown, progress if live.is_live else None
            )
    except single_run.NotLoaded as problem:
        output.note(checked(problem.found, output.stderr_screen()))
        raise Failure(f"{one_line(str(problem))} does not load") from None
    except UnsafeFolder as error:
        raise Failure(str(error)) from None
