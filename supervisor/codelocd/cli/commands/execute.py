"""`codelocd exec`"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from codeloc_envs import Specification
from codelocd.cli import local, output, which
from codelocd.cli.commands.completions import programs
from codelocd.cli.connection import Connection, connect_promptly
from codelocd.cli.exit_codes import ExitCode, Failure, NoDaemon
from codelocd.cli.local import choice, chosen, folder, ready, told
from codelocd.cli.options import daemon_options, location_argument
from codelocd.cli.programs import PYTHON, ProgramPlace, found, may_be_packaged, outsider
from codelocd.cli.which import VARIABLE, Asked
from codelocd.core.remedies import Origin, remedy
from codelocd.process.accounts import Account, account, become

INSTALLERS = ("pip", "pip3")

DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?")
"""What a package that brings a command may be called: a file or an assignment is none."""

SOCKET = "--socket"
"""The one option of this command that takes a value, in a word of its own."""


@dataclass(frozen=True, slots=True)
class ExecSetting:
    """How to run something as a location's runner runs; `specification` made its environment,
    `declared_in` names the file and the table of the location, `account` as whom it runs.
    """

    location: str
    place: ProgramPlace
    variables: Mapping[str, str]
    specification: Specification | None
    declared_in: str
    account: Account | None = None


class Exec(click.Command):
    """Options stand before CMD: what follows it is its own, with or without `--` before it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_end_of_options(args))


def _with_end_of_options(args: Sequence[str]) -> list[str]:
    """`sales pytest --user` as `sales -- pytest --user`."""
    names = 0
    position = 0
    while position < len(args) and args[position] != "--":
        if not args[position].startswith("-"):
            names += 1
        elif args[position] == SOCKET:
            position += 1
        if names == 2:  # LOCATION, CMD
            return [*args[:position], "--", *args[position:]]
        position += 1
    return list(args)


@click.command("exec", cls=Exec)
@click.option("--outside", is_flag=True, help="Run what is not in the environment, too.")
@location_argument
@click.argument(
    "words", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED,
    shell_complete=programs,
)  # fmt: skip
@daemon_options
@click.pass_obj
def exec_command(asked: Asked, outside: bool, location: str, words: tuple[str, ...]) -> None:
    """Run a command as a location's runner would run.

    Its interpreter comes first on the PATH, its variables are set, its working directory is
    the current one, and `codeloc` can be imported. Where no daemon runs for the project, as in
    CI, the config is read and the environment built or reused first.

    CMD is a program of the location's environment, or a script of the project (with a slash:
    ./load.py) that the environment's Python runs. Everything else, like bash, git or a pytest
    that is installed elsewhere, needs --outside, so that no other Python is taken by accident.

    Where an engine places the location, CMD runs on a node, beside a copy of the code that is its
    own: it gets what is typed or piped in, and the signals, but has no terminal; the files that it
    writes stay there and are removed.

    Ends with the status of CMD, which gets the signals and has the terminal; with 127 if there
    is no such command in the environment, with 126 if what was named by its path is outside of
    it or cannot be run.

    \b
    codelocd exec sales -- pytest
    codelocd exec sales -- python -c 'import pandas; print(pandas.__version__)'
    codelocd exec --outside sales -- make test
    """
    setting = _setting(asked, location)
    if isinstance(setting, Path):
        from codelocd.cli.on_node import run_on_node  # seldom: it needs asyncio

        raise SystemExit(run_on_node(setting, location, words, outside=outside))
    path = found(words[0], setting.place)
    if path is None:
        raise Failure(_missing(words, setting), ExitCode.NOT_FOUND)
    other = None if outside else outsider(path, setting.place)
    if other is not None:
        by_path = "/" in words[0]
        code = ExitCode.NOT_EXECUTABLE if by_path else ExitCode.NOT_FOUND
        raise Failure(_refusal(words, path, other, setting), code)
    _become(path, words, setting)


def _setting(asked: Asked, location: str) -> ExecSetting | Path:
    """From the daemon, or where none listens from the config here. The daemon's socket where it
    runs the command itself, on a node."""
    try:
        with connect_promptly(asked, before=_refuse_to_obey) as connection:
            answer = connection.call("command", {"location": location})
            if answer.get("placed"):
                return Path(connection.daemon.socket)
    except NoDaemon as failure:
        is_named = asked.socket or asked.service or os.environ.get(VARIABLE)
        if is_named or failure.project is None:
            raise
        return _without_daemon(asked, location)
    return _from_answer(location, answer)


def _refuse_to_obey(connection: Connection) -> None:
    """What a daemon answers is run as the caller: another user's daemon could name anything.

    Root does not become that user for it: the program would still hold root's terminal.
    """
    uid = connection.foreign_uid
    if uid is not None:
        what = f"the daemon at {connection.daemon.socket} belongs to user {uid}, who would decide"
        how = f"`sudo -u '#{uid}' codelocd exec …` runs it as that user"
        raise Failure(f"{what} what is run as you; {how}")


def _from_answer(location: str, answer: Mapping[str, Any]) -> ExecSetting:
    specification = answer.get("specification")
    prefix = Path(answer["prefix"]) if answer.get("prefix") else None
    if prefix is not None:
        _stay_in_use(prefix)
    return ExecSetting(
        location,
        _place(
            Path(answer["executable"]),
            prefix,
            Path(answer["working_directory"]),
            answer["environment"],
        ),
        answer["environment"],
        Specification.from_json(specification) if specification else None,
        answer.get("declared_in", ""),
        account(answer.get("user"), answer.get("group")),
    )


def _stay_in_use(prefix: Path) -> None:
    """The command inherits a lease of its own: the daemon may end, or replace the environment.

    One of the user's own, and that of a store which others may not write to, have none.
    """
    from codeloc_envs.store.layout import Layout
    from codeloc_envs.store.lease import share

    path = Layout(prefix.parent.parent).lease(prefix.name)
    with contextlib.suppress(OSError):
        if path.is_file():
            os.set_inheritable(share(path).fileno(), True)


def _without_daemon(asked: Asked, location: str) -> ExecSetting:
    """The environment stays in use until the command ends: it inherits the leases."""
    from codeloc_envs import EnvironmentProblem, Store
    from codeloc_envs.credentials import NoCredential
    from codeloc_envs.store.layout import Layout
    from codelocd.daemon.runner_specs import RunnerSpecs
    from codelocd.runners.bundle import CHILDREN, lease_bundle
    from codelocd.storage.logs import Logs

    [spec] = chosen(local.config_in(local.found_config(), activated=True), [location])
    root = folder(asked)
    shelf = Store(root)
    if not spec.placement.is_local:
        output.note(f"no daemon runs, so this runs here, and not on a node as {location} does")
    try:
        needed = choice(spec)
        environment = ready(shelf, location, needed)
        leases = [shelf.lease(environment)]
    except EnvironmentProblem as problem:
        raise Failure(told(location, problem)) from None
    bundle, lease = lease_bundle(root)
    for each in (*leases, *filter(None, [lease])):
        os.set_inheritable(each.fileno(), True)
    orders = RunnerSpecs(Logs(root), bundle / CHILDREN, Layout(root).bytecode, development=True)
    try:
        variables = orders.command_variables(spec, environment)
    except NoCredential as problem:
        raise Failure(f"{location}: {problem}") from None
    place = _place(environment.executable, environment.path, spec.working_directory, variables)
    orders.open_up(spec, environment)
    who = account(spec.user, spec.group)
    return ExecSetting(location, place, variables, needed.specification, spec.declared_in, who)


def _place(
    executable: Path, prefix: Path | None, directory: Path, variables: Mapping[str, str]
) -> ProgramPlace:
    project = which.nearest(str(directory), which.is_project)
    search = variables.get("PATH", os.defpath)
    return ProgramPlace(executable, prefix, directory, Path(project or directory), search)


def _become(path: Path, words: Sequence[str], setting: ExecSetting) -> NoReturn:
    """Replace this process; Failure where the command cannot be run."""
    directory = setting.place.directory
    sys.stdout.flush()
    try:
        os.chdir(directory)
    except OSError as error:
        what = f"the working directory of {setting.location}, {directory}: {error.strerror}"
        raise Failure(f"{what}; create it, or correct the config") from None
    try:
        if setting.account is not None:
            become(setting.account)
        os.execve(path, list(words), dict(setting.variables))  # noqa: S606 no shell is wanted
    except OSError as error:
        raise Failure(_unrunnable(path, error), ExitCode.NOT_EXECUTABLE) from None


def _unrunnable(path: Path, error: OSError) -> str:
    if path.is_dir():
        return f"{path} is a folder, not a program"
    if error.errno == errno.EACCES:
        return f"{path} is not executable; run `chmod +x` on it, or give it to its interpreter"
    if error.errno == errno.ENOEXEC:
        return f"{path} is no program, and has no `#!` line that says what runs it"
    if error.errno == errno.ENOENT:
        return f"{path}: the program that its `#!` line names does not exist"
    return f"{path} cannot be run: {error.strerror}"


def _missing(words: Sequence[str], setting: ExecSetting) -> str:
    if "/" in words[0]:
        return f"there is no {setting.place.directory / words[0]}"
    advice = _advice(words, setting) or "is it spelled right?"
    return f"there is no command {words[0]!r} in {_environment(setting)}; {advice}"


def _refusal(words: Sequence[str], path: Path, other: Path, setting: ExecSetting) -> str:
    """What, where it was found, what to do."""
    command = shlex.join(["codelocd", "exec", "--outside", setting.location, "--", *words])
    anyway = f"to run it all the same: {command}"
    if path == other and path.suffix == ".py" and "/" in words[0]:
        python = shlex.join(["codelocd", "exec", setting.location, "--", "python", *words])
        return f"{path} has no `#!` line that says what runs it; to run it: {python}"
    if path == other:
        where = "" if str(path) == words[0] else f", found as {path},"
        what = f"{words[0]}{where} is not in {_environment(setting)}"
    else:
        what = f"{path} is run by {other}, which is not in {_environment(setting)}"
    is_brought = path == other and "/" not in words[0] and may_be_packaged(path, setting.place)
    advice = _advice(words, setting) if is_brought or words[0] in INSTALLERS else ""
    return "; ".join(filter(None, [what, advice, anyway]))


def _advice(words: Sequence[str], setting: ExecSetting) -> str:
    """How a package that brings the command gets into the environment."""
    name = words[0]
    if name in INSTALLERS:
        asked = next((word for word in words[2:] if word[0:1] not in ("", "-")), "NAME")
        name = re.split(r"[^\w.-]", asked)[0]
    if setting.specification is None or PYTHON.match(name) or not DISTRIBUTION.fullmatch(name):
        return ""
    found = remedy(name, setting.specification, Origin(setting.declared_in))
    if found is None:
        return ""
    how = found.line
    if words[0] in INSTALLERS:
        return f"an environment is built from what its location asks for: {how}"
    return f"if a package of that name brings it, {how}"


def _environment(setting: ExecSetting) -> str:
    where = setting.place.prefix or setting.place.executable
    return f"the environment of {setting.location} ({where})"
