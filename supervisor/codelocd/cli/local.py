"""Finds the config, the folders and the store for commands that work without a daemon."""

from __future__ import annotations

import grp
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import click

from codelocd.cli import output
from codelocd.cli.connection import ask, meant
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.output import LiveLine
from codelocd.cli.which import VARIABLE, Asked
from codelocd.config import ConfigError, discover, from_targets, load, remark
from codelocd.config.targets import Targets
from codelocd.core.nearest import advice, closest
from codelocd.model import Config, DaemonSettings, Target
from codelocd.render.location import step as line
from codelocd.render.text import block, one_line, plural
from codelocd.rpc import starting
from codelocd.storage.paths import DaemonPaths, Kind, UnsafeFolder, daemon_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from codeloc_envs import Choice, Environment, EnvironmentProblem, Store
    from codeloc_envs.interpreter import Interpreter
    from codelocd.documents.answers import EnvironmentDocument
    from codelocd.documents.events import TopicEvent
    from codelocd.model import LocationSpec


def run_daemon(
    mode: Literal["dev", "service"],
    here: Local,
    reread: Callable[[], Config],
    observer: Callable[[TopicEvent], None] | None = None,
    report: Callable[[str], None] | None = None,
    *,
    ends: bool = False,
) -> int:
    """Run until told to stop; the exit code. One that `ends` only ends what a killed one has left.
    Failure where another daemon is in the way."""
    from codelocd.daemon import service
    from codelocd.storage.paths import Busy

    settings = here.config.daemon
    names = ("socket_group", "operator_group", "observe_group")
    groups = {name: getattr(settings, name) for name in names}
    for key, group in groups.items():
        if group is not None:
            _refuse_unknown(key, group)
    _refuse_users_beside_dagster(here.config)
    _refuse_nodes_beside_dagster(here.config)
    make_folders(here.paths, shared=any(groups.values()))
    starting.announce(str(here.paths.socket))
    try:
        return service.run(
            here.config,
            mode=mode,
            paths=here.paths,
            reread=reread,
            observer=observer,
            report=report,
            ends=ends,
        )
    except Busy as busy:
        raise Failure(str(busy), ExitCode.BUSY) from None


def _refuse_users_beside_dagster(config: Config) -> None:
    """Its code servers share an instance with the UI, which belongs to the daemon's user."""
    names = [spec.name for spec in config.own if spec.user or spec.group]
    if config.dagster.serve and names:
        what = f"location.{names[0]}: user and group do not go with Dagster's UI and code servers"
        raise Failure(f"{what}; remove them, or serve it without [dagster]", ExitCode.USAGE)


def _refuse_nodes_beside_dagster(config: Config) -> None:
    """As the rule of the config has it, for `dev --dagster`."""
    names = [spec.name for spec in config.own if not spec.placement.is_local]
    if config.dagster.serve and names:
        what = f"location.{names[0]}: Dagster's UI cannot show what runs on nodes"
        raise Failure(f"{what}; run it on this machine, or without Dagster's UI", ExitCode.USAGE)


def as_root(config: Config) -> tuple[str, ...]:
    """What to say of a daemon that gives its locations the rights of root."""
    if os.geteuid() != 0 or all(spec.user for spec in config.own):
        return ()
    what = "locations run as root; `user` under [defaults] names another user for them"
    return (f"{what} (docs/security.md)",)


def _refuse_unknown(key: str, group: str) -> None:
    try:
        grp.getgrnam(group)
    except KeyError:
        what = f"[daemon] {key}: there is no group {group!r}; create it, or name another"
        raise Failure(what, ExitCode.USAGE) from None


@dataclass(frozen=True, slots=True)
class Local:
    """A config, the folders of the daemon that runs it, and notes on where the config was found."""

    config: Config
    paths: DaemonPaths
    project: Path
    notes: tuple[str, ...] = ()


def of_targets(targets: Targets, asked: Asked) -> Local:
    """What `dev` is about: the targets, or the config found from the working directory."""
    config = config_of(targets)
    project, notes = _origin(targets)
    if not config.locations and not targets.are_given:
        _point_elsewhere()
    paths = places("dev", config.daemon, asked, project)
    return Local(config, paths, project, (*notes, *config.notes, *_nothing(config)))


def of_service(path: Path, asked: Asked) -> Local:
    """What `serve` is about; it never looks at the caller's activated environment."""
    config = config_in(path, activated=False)
    kind = service(asked)
    paths = places(kind, config.daemon, asked)
    option = (
        f"--{kind}"
        if str(paths.socket) == meant(Asked(service=kind)).socket
        else f"--socket {shlex.quote(str(paths.socket))}"
    )
    reach = f"socket: {paths.socket}; from another shell: codelocd {option} status"
    told = (reach, *config.notes, *as_root(config))
    notes = (f"config: {path}", remark(path, os.environ), *told)
    return Local(config, paths, path.parent, tuple(filter(None, notes)))


def config_of(targets: Targets) -> Config:
    """The locations that the command line names, or those of the config found."""
    with _as_failure():
        return from_targets(targets, Path.cwd(), os.environ)


def config_in(path: Path, *, activated: bool) -> Config:
    """The config in a file."""
    with _as_failure():
        return load(path, os.environ, activated=activated)


def found_config() -> Path:
    """The config that `dev` would take; Failure where there is none."""
    with _as_failure():
        found = discover(Path.cwd(), os.environ)
    if found is None:
        what = f"no config in {Path.cwd()} or a folder above it; name one, or write codelocd.toml"
        raise Failure(what, ExitCode.USAGE)
    return found.path


def settings() -> DaemonSettings:
    """The `[daemon]` table that holds here; the defaults where there is no config."""
    with _as_failure():
        found = discover(Path.cwd(), os.environ)
    return config_in(found.path, activated=True).daemon if found else DaemonSettings()


def service(asked: Asked) -> Literal["user", "system"]:
    """Whose service it is: as asked for, else root's is the system's."""
    return asked.service or ("user" if os.getuid() else "system")


def places(
    kind: Kind, settings: DaemonSettings, asked: Asked, project: Path | None = None
) -> DaemonPaths:
    """The daemon's places; a socket named by the command line or the environment wins."""
    named = asked.socket or os.environ.get(VARIABLE)
    if named:
        settings = replace(settings, socket=Path.cwd() / named)
    return daemon_paths(kind, settings, project=project, environ=os.environ, uid=os.getuid())


def make_folders(paths: DaemonPaths, *, shared: bool) -> None:
    """Create the daemon's folders; `shared`: with a group. Failure where one is not safe."""
    try:
        paths.make_folders(os.getuid(), shared=shared)
    except UnsafeFolder as error:
        raise Failure(str(error)) from None


def _origin(targets: Targets) -> tuple[Path, tuple[str, ...]]:
    """The project's folder; which config was taken there, and which were not."""
    found = None if targets.are_given else discover(Path.cwd())
    if found is None:
        return Path.cwd(), ("targets: those of the command line",)
    taken = f"config: {found.taken}"
    if not found.others:
        return found.folder, (taken,)
    return found.folder, (taken, f"not taken: {', '.join(map(str, found.others))}")


def _nothing(config: Config) -> tuple[str, ...]:
    """The note that there is nothing to load."""
    if config.own:
        return ()
    if config.locations:
        return ("nothing to load: every location of the config is a server that runs elsewhere",)
    return ("nothing to load: the config has no locations",)


def listed_beside(taken: Path) -> tuple[str, Path] | None:
    """Where `taken` lists no location and another config of its folder does: what to say, and
    that other.
    """
    found = discover(taken.parent)
    for other in found.others if found and found.path == taken else ():
        try:
            config = load(other.path, os.environ, activated=True)
        except ConfigError:
            continue
        if found and config.locations and other.path != taken:
            there = plural(len(config.locations), "location")
            return f"{found.taken} lists no location, and {other} lists {there}", other.path
    return None


def _point_elsewhere() -> None:
    """Failure where another config of the folder has what the one that was taken has not."""
    elsewhere = listed_beside(found_config())
    if elsewhere:
        what, other = elsewhere
        command = click.get_current_context().command_path
        option = f"-w {shlex.quote(os.path.relpath(other))}"
        raise Failure(f"{what}; to load them: {command} {option}")


@contextmanager
def _as_failure() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        first, *more = map(str, error.problems)
        raise Failure(first, ExitCode.USAGE, also=more) from None


def listed(asked: Asked) -> list[EnvironmentDocument]:
    """The environments; which locations use them is known only where a daemon answers."""
    try:
        found: list[EnvironmentDocument] = ask(asked, "environments")
    except Failure as failure:
        if failure.code != ExitCode.NO_DAEMON or asked.socket or asked.service:
            raise
        return [{**environment, "used_by": []} for environment in store(asked).list()]
    return found


def one_of(found: list[EnvironmentDocument], key: str) -> EnvironmentDocument:
    """The one with that key, the beginning of it, or a location of that name; Failure."""
    matches = [each for each in found if each["key"].startswith(key) or key in each["used_by"]]
    if not matches:
        names = [*(name for each in found for name in each["used_by"]), *(e["key"] for e in found)]
        close = closest(key, names) or closest(key, [name[: len(key)] for name in names])
        meant = f'did you mean "{close}"?' if close else "`codelocd env list` shows them"
        what = f"no environment {key!r} in the store; {meant}"
        raise Failure(what, ExitCode.UNKNOWN)
    if len(matches) > 1:
        keys = ", ".join(match["key"][:12] for match in matches)
        raise Failure(f"{key!r} is ambiguous: {keys}", ExitCode.USAGE)
    return matches[0]


def store(asked: Asked) -> Store:
    """The store that a daemon started here would use."""
    from codeloc_envs import Store

    return Store(folder(asked))


def pythons() -> tuple[Interpreter, ...]:
    """Those of this machine, as the store of a service without `[daemon]` remembers them."""
    from codeloc_envs import Store

    here = Asked()
    return Store(places(service(here), DaemonSettings(), here).store).pythons()


def folder(asked: Asked) -> Path:
    """Where that store is."""
    return places(asked.service or "user", settings(), asked).store


def chosen(config: Config, names: Sequence[str]) -> list[LocationSpec]:
    """The locations named, or all that have code of ours to run; Failure."""
    known = {spec.name: spec for spec in config.locations if isinstance(spec.target, Target)}
    for name in names:
        if name not in known:
            what = f"there is no location {name!r}; {advice(name, known)}"
            raise Failure(what, ExitCode.UNKNOWN)
    return [known[name] for name in names or known]


def choice(spec: LocationSpec) -> Choice:
    """What the environment of a location is made of; EnvironmentProblem."""
    from codeloc_envs import choose
    from codelocd.daemon.sources import code
    from codelocd.runners.variables import activated_environment

    activated = activated_environment(os.environ) if spec.activated_allowed else None
    return choose(spec.environment, code=code(spec), activated=activated)


def ready(shelf: Store, name: str, needed: Choice, *, refresh: bool = False) -> Environment:
    """The environment, built if need be: how far that is, stderr says. EnvironmentProblem."""
    found = None if refresh else shelf.find(needed.specification)
    if found is not None:
        return found
    with LiveLine(sys.stderr) as live, _for_this_user_alone():
        screen = output.stderr_screen()
        return shelf.build(
            needed.specification,
            lambda step: live.show(f"{one_line(name)}: {line(step.to_json(), screen)}"),
            refresh=refresh,
        )


@contextmanager
def _for_this_user_alone() -> Iterator[None]:
    """Whatever is made meanwhile, by uv and by builds, too."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def told(name: str, problem: EnvironmentProblem) -> str:
    """The installer's own words on stderr; the sentence for the end."""
    if problem.detail:
        sys.stderr.write(block(problem.detail).rstrip() + "\n")
    return f"{name}: {problem.summary}"
