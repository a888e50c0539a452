"""Builds one environment: resolve its lock, create it, install, publish."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder
from codeloc_envs.filesystem import size_of
from codeloc_envs.fingerprint import EnvironmentKey, environment_key
from codeloc_envs.inputs import built_folders, described_files
from codeloc_envs.install.leftovers import nothing_left
from codeloc_envs.install.output import Listener, Progress, conclusion, expected_digests, explain
from codeloc_envs.install.tools import InstallerResult, Tool
from codeloc_envs.interpreter import Interpreter
from codeloc_envs.problem import EnvironmentProblem, shortage, shortage_in
from codeloc_envs.project.hashes import place_of
from codeloc_envs.project.pylock import Lock, read_lock
from codeloc_envs.request import EnvironmentKind, Specification
from codeloc_envs.store.layout import Layout
from codeloc_envs.store.lease import Lease, share
from codeloc_envs.store.records import (
    LOCK_NAME,
    Publication,
    Resolution,
    installed_packages,
    publish,
    site_fingerprint,
    source_name,
    write_resolution,
)

# virtualenv is not safe in two threads at once (its issue 2516).
_ONE_AT_A_TIME = threading.Lock()
_FOREIGN = ("VIRTUALENV_", "PIP_", "PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")


def create(folder: Path, interpreter: Interpreter, app_data: Path) -> None:
    """An empty virtual environment, made by virtualenv in this process.

    Make `folder` a virtual environment of `interpreter`, without pip.

    Without a seed it takes 10 ms instead of 600, and works for every Python that uv
    can install into. Raises EnvironmentProblem.
    """
    from virtualenv import session_via_cli  # 120 ms, and the daemon never creates anything

    # A configuration of the user's for virtualenv is not for environments of ours.
    variables = {name: value for name, value in os.environ.items() if not _is_foreign(name)}
    variables["VIRTUALENV_CONFIG_FILE"] = os.devnull
    arguments = [
        *(str(folder), "--python", str(interpreter.executable)),
        *("--no-seed", "--activators", "", "--no-vcs-ignore", "--no-venv-redirect"),
        *("--no-periodic-update", "--app-data", str(app_data)),
    ]
    try:
        with _ONE_AT_A_TIME:
            session_via_cli(arguments, setup_logging=False, env=variables).run()
    except (RuntimeError, OSError, SystemExit) as error:
        raise EnvironmentProblem(
            f"no environment can be made with {interpreter.executable}: {error}",
            shortage=shortage(error) or shortage_in(str(error)),
        ) from None


def _is_foreign(name: str) -> bool:
    return name.startswith(_FOREIGN)


_FRESH_LOCK = "pylock.fresh.toml"


@dataclass(frozen=True, slots=True)
class EnvironmentBuild:
    """One build: who asks for it, and with which interpreter.

    `selected` is what besides the lock makes a difference to what is installed.
    """

    layout: Layout
    specification: Specification
    interpreter: Interpreter
    selected: Mapping[str, Any]
    tool: Tool
    listen: Listener

    def resolve(self, folder: Path, *, upgrade: bool) -> Resolution:
        """Find out what exactly is installed, and keep it in `folder`.

        The pins of an earlier lock there stay as far as they fit, unless `upgrade`.
        Raises EnvironmentProblem.
        """
        make_folder(folder)
        if self.specification.kind is EnvironmentKind.PYLOCK and self.specification.request.lock:
            lock = read_lock(self.specification.request.lock)
        else:
            lock = self._locked(folder, upgrade)
        resolution = self._resolution(lock)
        write_resolution(folder, resolution)
        return resolution

    def make(self, resolution: Resolution) -> Publication:
        """Build what `resolution` says in a folder of its own; raises EnvironmentProblem."""
        name = f"{resolution.environment}-{secrets.token_hex(4)}"
        folder = self.layout.environments / name
        with share(self.layout.lease(name)) as lease:
            try:
                self._fill(folder, resolution, lease)
                publication = self._survey(folder, resolution.environment)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            publish(self.layout, publication)
        self.listen(Progress("ready", f"environment {resolution.environment} is ready"))
        return publication

    # --- resolving -----------------------------------------------------------------------------

    def _locked(self, folder: Path, upgrade: bool) -> Lock:
        fresh = folder / _FRESH_LOCK
        fresh.unlink(missing_ok=True)
        if not upgrade and (folder / LOCK_NAME).exists():
            shutil.copyfile(folder / LOCK_NAME, fresh)
        self.listen(Progress("resolving", "finding out which versions fit together"))
        with nothing_left(self.layout, built_folders(self.specification), self._waiting):
            self._check(self.tool.lock(fresh, folder / "requirements.in"))
        return read_lock(fresh.replace(folder / LOCK_NAME))

    def _resolution(self, lock: Lock) -> Resolution:
        sources = self._sources(lock)
        key = environment_key(
            lock.fingerprint(), sources, self.interpreter.fingerprint(), self.selected
        )
        return Resolution(key, lock.path, sources, time.time(), self.specification.text)

    def _sources(self, lock: Lock) -> dict[str, str]:
        try:
            return {source_name(source): source.digest() for source in lock.sources()}
        except OSError as error:
            raise EnvironmentProblem(
                f"a local package cannot be read: {error.filename}: {error.strerror}",
                shortage=shortage(error),
            ) from None

    # --- making --------------------------------------------------------------------------------

    def _fill(self, folder: Path, resolution: Resolution, lease: Lease) -> None:
        lock = read_lock(resolution.lock)
        self.listen(Progress("creating", f"virtual environment with {self.interpreter.label}"))
        create(folder, self.interpreter, self.layout.virtualenv)
        if lock.packages:
            self._install(folder, lock, lease)
        if self._resolution(read_lock(resolution.lock)).environment != resolution.environment:
            raise EnvironmentProblem(
                f"{resolution.lock} or a local package in it changed while it was installed; "
                "build again"
            )

    def _install(self, folder: Path, lock: Lock, lease: Lease) -> None:
        total = len(lock.packages)
        self.listen(
            Progress("installing", f"{total} packages" if total > 1 else "1 package", 0, total)
        )
        local = [source.path for source in lock.sources()]
        with (
            nothing_left(self.layout, local, self._waiting),
            share(self.layout.packages_lock) as packages,
        ):
            held = [lease.fileno(), packages.fileno()]
            self._check(self.tool.install(lock, folder / "bin/python", held))

    def _survey(self, folder: Path, key: EnvironmentKey) -> Publication:
        size = size_of(folder)
        return Publication(
            key=key,
            directory=folder.name,
            python=self.interpreter.text,
            interpreter=str(self.interpreter.executable),
            site=site_fingerprint(folder),
            packages=installed_packages(folder),
            size=size.total,
            shared=size.shared,
            created=time.time(),
        )

    def _waiting(self) -> None:
        self.listen(Progress("waiting", "another build of the same project is under way"))

    def _check(self, finished: InstallerResult) -> None:
        if not finished.ok:
            said, detail = explain(finished.output), conclusion(finished.output)
            if digests := expected_digests(finished.output):
                place = place_of(digests, described_files(self.specification))
                said = f"{place}: {said}" if place else said
            raise EnvironmentProblem(
                said, detail, passing=finished.may_pass, shortage=finished.shortage
            )
