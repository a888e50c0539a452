"""`codelocd doctor`: look for problems of the machine and say what to do."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psutil

from codeloc_envs.files import SUFFIX
from codelocd.cli import local, machine, output
from codelocd.cli.connection import Connection, reached
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.client import Client, DaemonUnreachable
from codelocd.config import ConfigError, discover
from codelocd.config import examine as examine_config
from codelocd.core import findings
from codelocd.core.findings import Finding, verdict
from codelocd.model import Config, DaemonSettings
from codelocd.process.guardian_process import marks
from codelocd.process.inheritance import FoundHolder, holders
from codelocd.render.text import Screen, one_line, plural
from codelocd.storage import sockets
from codelocd.storage.paths import DaemonPaths

if TYPE_CHECKING:
    from codelocd.cli.which import DaemonAddress, Service
    from codelocd.documents.locations import StatusDocument


SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


@click.command("doctor")
@json_option
@daemon_options
@click.pass_obj
def doctor_command(asked: Asked, as_json: bool) -> int:
    """Look for what on this machine is in the way, and say what to do.

    Looks at the daemon, its config, sockets, folders and processes, at the limits of watches, open
    files and memory, and whether the locations of the config fit into them, at cgroups, the clock,
    Pythons, and the releases of Dagster in the environments. Works with and without a daemon, and
    changes nothing.

    Ends with 1 if something is in the way now; a warning (!) is no failure.

    \b
    codelocd doctor
    codelocd doctor --json | jq '.findings[] | select(.level != "ok")'
    """
    from codelocd.cli.commands import doctor

    found = []
    for finding in doctor.examine(asked):
        found.append(finding)
        if not as_json:
            output.say(_lines(finding, output.stdout_screen()))
    well = verdict(found)
    if as_json:
        output.document({"ok": well, "findings": [each.as_json() for each in found]})
    else:
        counted = [sum(each.level == level for each in found) for level in ("problem", "warning")]
        output.say(f"{plural(counted[0], 'problem')}, {plural(counted[1], 'warning')}")
    return ExitCode.DONE if well else ExitCode.FAILED


def _lines(finding: Finding, screen: Screen) -> str:
    sign, style = SIGNS[finding.level]
    first = f"{screen.paint(sign, style)} {finding.area}: {one_line(finding.what)}"
    return f"{first}\n  {one_line(finding.then)}" if finding.then else first


# --- what is examined --------------------------------------------------------------------------

PATIENCE = 2.0
"""Seconds for the daemon to answer."""


class Examined:
    """What all looks share: the daemon that is meant, its answers if any, its config and places."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.config, self.mistakes = _config()
        self.status: StatusDocument | None = None
        self.silence: Failure | None = None
        try:
            self.status = reached(asked, self._status_of)
        except Failure as failure:
            self.silence = failure

    def _status_of(self, daemon: DaemonAddress) -> StatusDocument:
        self.daemon = daemon
        with Connection(daemon, PATIENCE) as connection:
            status: StatusDocument = connection.call("status", timeout=PATIENCE)
            return status

    @property
    def pid(self) -> int | None:
        return self.status["daemon"]["pid"] if self.status is not None else None

    @property
    def awaited(self) -> int:
        """How many locations of the config do not run yet: what they need comes on top."""
        own = () if self.config is None else self.config.locations
        runs = self.status["locations"] if self.status is not None else []
        running = {each["name"] for each in runs if each["pid"] is not None}
        return len({each.name for each in own} - running)

    @property
    def memory_limits(self) -> list[int | None]:
        """Of each location of the config, in bytes."""
        own = () if self.config is None else self.config.locations
        return [each.policy.memory_limit for each in own]

    @property
    def paths(self) -> DaemonPaths:
        """Where the daemon that is meant has its things, or would have them."""
        settings = self.config.daemon if self.config is not None else DaemonSettings()
        project = getattr(getattr(self, "daemon", None), "project", None)
        if project is None or self.asked.service:
            return local.places(self._service, settings, self.asked)
        return local.places("dev", settings, self.asked, Path(project))

    @property
    def _service(self) -> Service:
        """Whose service it is: as the daemon says, else that which `serve` would be."""
        said = self.status["daemon"]["instance"] if self.status is not None else ""
        return "system" if said == "system" else "user" if said else local.service(self.asked)


def examine(asked: Asked) -> Iterator[Finding]:
    """Every finding, one after the other."""
    seen = Examined(asked)
    yield from _daemon(seen)
    yield from _folders(seen.paths)
    yield from _sockets()
    yield from _processes(seen)
    yield from _limits(seen)
    yield findings.cgroup(*machine.cgroup())
    yield _clock(seen.paths.state_dir)
    yield from _environments(seen)


def _config() -> tuple[Config | None, list[str]]:
    """That of this folder, if it has one, and each mistake in it or in what it names."""
    try:
        found = discover(Path.cwd(), os.environ)
    except ConfigError as error:
        return None, [str(each) for each in error.problems]
    if found is None:
        return None, []
    config, mistakes = examine_config(found.path, os.environ, local.pythons, local.choice)
    return config, [str(each) for each in mistakes]


def _daemon(seen: Examined) -> Iterator[Finding]:
    if seen.status is not None:
        about = seen.status["daemon"]
        yield Finding("daemon", "ok", f"pid {about['pid']}, version {about['version']}, answers")
    elif seen.silence is not None and "did not answer" in str(seen.silence):
        yield Finding("daemon", "problem", *_split(str(seen.silence)))
    else:
        yield Finding("daemon", "ok", f"none runs: {seen.silence}")
    for mistake in seen.mistakes:
        yield Finding("config", "problem", *_split(mistake))
    for note in seen.config.notes if seen.config is not None else ():
        yield Finding("config", "warning", *_split(note))
    for line in local.as_root(seen.config) if seen.config is not None else ():
        yield Finding("users", "warning", *_split(line))
    if not seen.mistakes and seen.config is not None:
        yield Finding("config", "ok", plural(len(seen.config.locations), "location"))


def _split(text: str) -> tuple[str, str]:
    what, _, then = text.partition("; ")
    return what, then


def _folders(paths: DaemonPaths) -> Iterator[Finding]:
    uid = os.getuid()
    for area, folder in (
        ("sockets", paths.socket.parent),
        ("state", paths.state_dir),
        ("store", paths.store),
    ):
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            yield Finding(
                area, "problem", f"{existing} cannot be written to by you (user {uid})",
                f"`chown -R {uid} {existing}`, or name another folder in [daemon]",
            )  # fmt: skip
            continue
        found = folder.stat() if folder.exists() else None
        if area != "store" and found and stat.S_IMODE(found.st_mode) & 0o022:
            yield Finding(
                area, "problem", f"others can write to {folder}", f"`chmod go-w {folder}`"
            )
        else:
            yield findings.room(area, str(folder), shutil.disk_usage(existing).free)
    for broken in sorted(paths.state_dir.rglob(f"*{SUFFIX}")):
        what = f"{broken} was damaged, and set aside"
        yield Finding("state", "warning", what, "delete it once you have seen what it was")


def _sockets() -> Iterator[Finding]:
    """Control sockets that are left over: no process listens on them."""
    runtime = Path(sockets.runtime_folder(os.environ, os.getuid())) / "codelocd"
    found = [Path(sockets.SYSTEM) / sockets.CONTROL, *sorted(runtime.rglob(sockets.CONTROL))]
    stale = [path for path in found if _is_stale(path)]
    if not stale:
        yield Finding("sockets", "ok", "none is left over")
    for path in stale:
        yield Finding(
            "sockets", "warning", f"no process listens on {path}", f"`rm {path}`, or start it"
        )


def _is_stale(path: Path) -> bool:
    try:
        Client(str(path), timeout=PATIENCE, foreign=True).close()
    except DaemonUnreachable as error:
        return error.reason == "refused"
    return False


def _processes(seen: Examined) -> Iterator[Finding]:
    locations = seen.status["locations"] if seen.status is not None else []
    yield from findings.orphans(*_left({each["pid"] for each in locations if each["pid"]}))
    for each in locations:
        if each["pid"] is not None and not psutil.pid_exists(each["pid"]):
            what = f"the runner of {each['name']}, pid {each['pid']}, is not there"
            yield Finding("processes", "problem", what, f"`codelocd restart {each['name']}`")


def _left(served: set[int]) -> tuple[list[int], list[tuple[float, list[int]]]]:
    """The processes of daemons that have ended; apart from them, for each holder without a daemon,
    its time limit and what it keeps. `served`: runners of a daemon, also those it adopted.
    """
    orphans: list[int] = []
    kept: dict[FoundHolder, list[int]] = {}
    found = holders()
    of_daemons = tuple(each.family for each in found if _has_daemon(each.pid))
    for pid, mark in sorted(dict(marks()).items()):
        if mark.startswith(of_daemons) or _has_daemon(pid, served):
            continue
        holder = next((each for each in found if mark.startswith(each.family)), None)
        (orphans if holder is None else kept.setdefault(holder, [])).append(pid)
    return orphans, [(holder.timeout, pids) for holder, pids in kept.items()]


def _has_daemon(pid: int, served: Collection[int] = ()) -> bool:
    """Whether a daemon of ours is among its ancestors, or it is or descends from one of `served`;
    also where it has ended meanwhile."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        ancestors = process.parents()
        if not {pid, *(each.pid for each in ancestors)}.isdisjoint(served):
            return True
        for ancestor in ancestors:
            words = ancestor.cmdline()
            if any(word in ("dev", "serve") for word in words) and any(
                "codelocd" in word for word in words
            ):
                return True
        return False
    return True


def _limits(seen: Examined) -> Iterator[Finding]:
    pid = seen.pid or os.getpid()
    whose = "the daemon" if seen.pid else "this shell"
    count = seen.awaited
    needs, of = findings.Needs.of(count), f"{plural(count, 'location')} of the config"
    with contextlib.suppress(OSError, psutil.Error):
        coming = needs.files if count else 0
        yield findings.descriptors(
            machine.files_open(pid), machine.most_files(pid), whose, coming, of
        )
    for name, need, used in (
        (
            "max_user_watches",
            needs.watches,
            machine.inotify_in_use(lambda text: text.count("inotify wd:")),
        ),
        (
            "max_user_instances",
            needs.instances,
            machine.inotify_in_use(lambda text: int("inotify wd:" in text)),
        ),
    ):
        with contextlib.suppress(OSError):
            most = int((machine.INOTIFY / name).read_text())
            then = f"`sysctl fs.inotify.{name}={most * 4}`, and in /etc/sysctl.d to keep it"
            yield findings.limit("inotify", name, used, most, then, need if count else 0, of)
    yield findings.memory(
        machine.available_memory(), count, seen.memory_limits, psutil.virtual_memory().total
    )


def _clock(state: Path) -> Finding:
    existing = next(each for each in (state, *state.parents) if each.exists())
    skew = 0.0
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=existing) as file:
        file.write(b"x")
        file.flush()
        skew = os.fstat(file.fileno()).st_mtime - time.time()
    newest = max((each.stat().st_mtime for each in state.glob("*")), default=0.0)
    return findings.clock(skew, newest - time.time(), str(existing))


def _environments(seen: Examined) -> Iterator[Finding]:
    from codeloc_envs import Store

    store = Store(seen.paths.store)
    found = store.pythons()
    yield findings.pythons([each.label for each in sorted(found, key=lambda p: p.version)])
    if seen.status is None:
        environments = [{**each, "used_by": []} for each in store.list()]
    else:
        with Connection(seen.daemon, PATIENCE) as connection:
            environments = connection.call("environments")
        environments = [each for each in environments if each["used_by"]]
    yield from findings.dagsters(environments)
