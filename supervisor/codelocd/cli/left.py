"""Answers commands from what the last daemon left, where none runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.cli import local, output, which
from codelocd.cli.connection import refused
from codelocd.cli.exit_codes import ExitCode, Failure, NoDaemon, SilentDaemon
from codelocd.cli.which import VARIABLE, Asked
from codelocd.client import RpcError
from codelocd.core.nearest import advice
from codelocd.model import DaemonSettings
from codelocd.render.journal import moment
from codelocd.storage.remains import Remains

if TYPE_CHECKING:
    from codelocd.cli.which import Service
    from codelocd.documents.definitions import DefinitionsDocument, Listed, ShownAsset
    from codelocd.documents.locations import LeftLocation

NAMES: dict[Service, str] = {
    "user": "the user's daemon does not run",
    "system": "the system's daemon does not run",
}


def by(asked: Asked, failure: NoDaemon | SilentDaemon, locations: Sequence[str]) -> Remains:
    """What the daemon left that was meant, or has kept on disk, with a word about it on stderr.

    Raises `failure` where there is nothing, and a Failure for names that it did not have.
    """
    if asked.socket or (os.environ.get(VARIABLE) and not asked.service):
        raise failure  # it is not known where that one keeps its state
    for what, folder in _folders(asked, failure):
        try:
            remains = Remains(folder)
            at = remains.at
        except PermissionError as error:
            raise Failure(f"{failure}; {error.filename} may not be read by you") from None
        if at is not None:
            if isinstance(failure, SilentDaemon):
                output.note(f"this is what {failure.name} has on disk, of {moment(at, date=True)}")
            else:
                output.note(f"{what}; this is what it left at {moment(at, date=True)}")
            _refuse_unknown(remains, locations)
            return remains
    raise failure


def location(remains: Remains, name: str) -> LeftLocation:
    """What `show` prints of a location."""
    _refuse_other(remains, name, None)
    return remains.show(name)


def definitions(
    remains: Remains, locations: Sequence[str], kind: str | None
) -> DefinitionsDocument:
    """What `definitions` prints."""
    from codelocd.daemon import status

    return status.definitions(remains.registry(), locations or None, kind)


def definition(
    remains: Remains, name: str, inner: str, kind: str | None, repository: str | None
) -> Listed | ShownAsset:
    """What `show` prints of one definition of a location."""
    from codelocd.daemon import status

    _refuse_other(remains, name, inner)
    try:
        return status.definition(remains.registry(), name, inner, kind, repository)
    except RpcError as error:
        raise refused(error) from None


def _refuse_other(remains: Remains, name: str, inner: str | None) -> None:
    """A Failure for a name that no location had."""
    from codelocd.daemon import status

    if name in remains.locations:
        return
    try:
        status.refuse_definition(remains.registry(), name, inner)
    except RpcError as error:
        raise refused(error) from None
    raise _unknown(remains, name)


def _folders(asked: Asked, failure: NoDaemon | SilentDaemon) -> Iterator[tuple[str, Path]]:
    """The daemons whose state may be meant, and its folders."""
    project = failure.project
    silent = failure.name if isinstance(failure, SilentDaemon) else None
    for service, name in NAMES.items():
        if service == asked.service or (silent is not None and name.startswith(silent)):
            yield from ((name, state) for state in _states_of(service))
    if asked.service or (silent is not None and project is None):
        return
    folder = project or _last_dev(os.getcwd())
    if folder is not None:
        settings = which.own_state(folder)
        state = Path(settings) if settings else _dev_state(folder)
        yield f"no dev daemon runs for {folder}", state
    if project is None:
        for service, name in NAMES.items():
            yield from ((name, state) for state in _states_of(service))


def _last_dev(here: str) -> str | None:
    """The nearest folder upwards for which a dev daemon has kept anything."""
    return which.nearest(here, lambda folder: _dev_state(folder).is_dir())


def _dev_state(folder: str) -> Path:
    return local.places("dev", DaemonSettings(), Asked(), Path(folder)).state_dir


def _states_of(service: Service) -> Iterator[Path]:
    """Where a service's config says that its state is, and where it is without a word of it.

    The config is looked for where systemd/README.md puts it, and where `serve` finds it unasked.
    """
    usual = local.places(service, DaemonSettings(), Asked()).state_dir
    named = which.own_state(which.service_folder(service, os.environ))
    project = which.nearest(os.getcwd(), which.is_project)
    around = which.own_state(project) if project is not None else None
    yield from dict.fromkeys(Path(each) for each in (named, usual, around) if each)


def _refuse_unknown(remains: Remains, locations: Sequence[str]) -> None:
    """One that was removed before the end may still have a past."""
    for name in locations:
        if name not in remains.locations and not remains.events([name], 1):
            raise _unknown(remains, name)


def _unknown(remains: Remains, name: str) -> Failure:
    known = advice(name, remains.locations, "there were")
    return Failure(f"there was no location {name!r}; {known}", ExitCode.UNKNOWN)
