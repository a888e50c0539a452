"""Makes the orders for launchers: what it takes to start a runner of a location."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from codeloc_envs import Environment, Lease, credentials
from codeloc_envs.files import make_folder, open_for_reading
from codeloc_envs.store.layout import Layout
from codelocd.daemon import reload_loops
from codelocd.daemon.location import Leases, Location
from codelocd.daemon.releases import Releases
from codelocd.dagster.webserver import DaemonParts
from codelocd.model import LocationSpec, Target
from codelocd.process.accounts import Account, account
from codelocd.runners import variables
from codelocd.runners.api import RunnerSpec
from codelocd.runners.engine import EngineOrder
from codelocd.runners.epochs import Epochs
from codelocd.runners.stacks import ObservedOutput
from codelocd.storage.logs import Logs
from codelocd.storage.paths import DaemonPaths, file_name
from codelocd.storage.remains import SERVING


def read_secrets(spec: LocationSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a location takes from credentials, as these are now. Blocks, and raises
    NoCredential."""
    found: dict[str, str] = {}
    for variable, name in spec.credentials.items():
        try:
            found[variable] = credentials.read(name, environ)
        except credentials.NoCredential as problem:
            raise credentials.NoCredential(f"{variable}: {problem.what}", problem.remedy) from None
    return found


class RunnerSpecs:
    """Makes the orders for launchers. `children`: the folder of the bundle that makes `codeloc`
    importable in any Python. `bytecode_cache`: the folder for compiled files of environments that
    are not ours. `development`: whether user code is told that it runs under `dev`. `notes`: the
    folder where runners note which files they write. `reached_from`: the folder of ours above the
    store, which other users have to pass; None: the store. `locks`: the folder of the files that
    runners hold a lock on while they serve. `releases`: where code may be from; None: all is in
    place. `texts_of` gives the folder where a user's runners keep the texts that they load."""

    def __init__(
        self,
        logs: Logs,
        children: Path,
        bytecode_cache: Path,
        *,
        development: bool,
        notes: Path | None = None,
        reached_from: Path | None = None,
        locks: Path | None = None,
        releases: Releases | None = None,
    ) -> None:
        self.logs = logs
        self._epochs = Epochs()
        self.texts_of: Callable[[Account | None], Path | None] = lambda _: None
        self._releases = releases
        self._locks = locks
        self._reached_from = reached_from
        self._children = children
        self._bytecode_cache = bytecode_cache
        self._development = development
        self._notes = notes

    def lease_of_release(self, name: str, release: str | None) -> Lease | None:
        """None where its files in place are loaded. Blocks. Raises OSError."""
        if release is None or self._releases is None:
            return None
        return self._releases.of(name).lease(release)

    def checked_lease(self, spec: LocationSpec) -> Lease | None:
        """The same for a new runner. Raises DamagedRelease where the release is not what was put
        aside."""
        return None if self._releases is None else self._releases.lease(spec)

    def order(
        self,
        location: Location,
        environment: Environment,
        lease: Leases,
        secrets: Mapping[str, str],
    ) -> RunnerSpec:
        """`secrets`: the variables that have been read from credentials."""
        spec = location.spec
        assert isinstance(spec.target, Target)
        who, notes = account(spec.user, spec.group), self._notes
        return RunnerSpec(
            location=spec.name,
            environment=environment.key,
            executable=environment.executable,
            variables=self.variables(spec, environment, secrets),
            own=frozenset({*spec.variables, *secrets}),
            account=who,
            working_directory=spec.working_directory,
            target=spec.target,
            attribute=spec.attribute,
            output=ObservedOutput(self.logs.output(spec.name, location.state.generation + 1)),
            start_method=spec.policy.start_method,
            start_timeout=spec.policy.start_timeout,
            beside=location.state.serving is not None,
            held=lease.filenos(),
            written=None if notes is None or who else reload_loops.notes(notes, spec.name),
            lock=None if self._locks is None else self._locks / f"{file_name(spec.name)}.lock",
            suspects=tuple(sorted(location.loops.suspects)),
            release=spec.release,
            code=self.texts_of(who),
            epoch=self._epochs.next(spec.name),
        )

    def placed(
        self, location: Location, environment: Environment, remote: EngineOrder
    ) -> RunnerSpec:
        """The order for a runner that an engine places."""
        spec = location.spec
        assert isinstance(spec.target, Target)
        return RunnerSpec(
            location=spec.name,
            environment=environment.key,
            executable=environment.executable,
            variables={},
            working_directory=spec.working_directory,
            target=spec.target,
            attribute=spec.attribute,
            output=ObservedOutput(self.logs.output(spec.name, location.state.generation + 1)),
            start_timeout=spec.policy.start_timeout,
            beside=location.state.serving is not None,
            nice=spec.policy.nice,
            open_files=spec.policy.open_files,
            remote=remote,
            release=spec.release,
            epoch=remote.epoch,
        )

    def variables(
        self, spec: LocationSpec, environment: Environment, secrets: Mapping[str, str]
    ) -> dict[str, str]:
        """All environment variables of a runner of such a location."""
        inherited = variables.inherited(os.environ, development=self._development)
        writable, cache = environment.origin != "existing", self._bytecode_cache / environment.key
        who, brought = account(spec.user, spec.group), environment.has_bytecode
        if who is not None:
            inherited = variables.of_user(inherited, who.name, who.home)
            writable, cache, brought = False, cache / str(who.uid), brought and not writable
        return variables.of_runner(
            inherited,
            {**spec.variables, **secrets},
            environment.executable,
            environment.variables,
            variables.bytecode(writable=writable, has_bytecode=brought, cache=cache),
        )

    def open_up(self, spec: LocationSpec, environment: Environment) -> None:
        """Have another user reach and read what its processes need, and nothing more. Blocks, the
        first time for as long as it takes to go through the environment. Raises OSError.
        """
        who = account(spec.user, spec.group)
        if who is None:
            return
        root = self._reached_from or self._bytecode_cache.parent
        open_for_reading(self._children.parents[1], root)
        if environment.origin != "existing" and environment.path is not None:
            open_for_reading(environment.path, root)
        own = self._bytecode_cache / environment.key / str(who.uid)
        make_folder(own)
        os.chown(own, who.uid, who.gid)
        for folder in (own.parent, own.parent.parent):
            folder.chmod(0o711)

    def command_variables(self, spec: LocationSpec, environment: Environment) -> dict[str, str]:
        """Those of a command that runs as a runner would, with `codeloc` importable. Blocks, where
        it has credentials. Raises NoCredential."""
        secrets = read_secrets(spec, os.environ)
        return variables.with_codeloc(self.variables(spec, environment, secrets), self._children)


def runner_specs(means: DaemonParts, paths: DaemonPaths, releases: Releases) -> RunnerSpecs:
    """Those of a daemon."""
    assert means.codeloc is not None, "a daemon has a bundle"
    cache = Layout(paths.store).bytecode
    state = paths.state_dir if paths.store.is_relative_to(paths.state_dir) else None
    return RunnerSpecs(
        means.logs,
        means.codeloc,
        cache,
        development=means.development,
        notes=paths.runtime_dir,
        reached_from=state,
        locks=paths.state_dir / SERVING,
        releases=releases,
    )
