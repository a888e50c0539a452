"""The folders that attempts use, for the user as whom they run, and for no other."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.files import make_folder
from codeloc_envs.ownership import barrier
from codelocd.process.accounts import Account
from codelocd.runs.folder import RunFolders
from codelocd.storage.paths import DaemonPaths
from codelocd.storage.remains import RUNS

PASS = 0o011
"""What another user needs of a folder that leads to one of its own."""


@dataclass(frozen=True, slots=True)
class AttemptFolders:
    """Those of one daemon. All of them are below its folder of state, and block: they are made on
    another thread."""

    paths: DaemonPaths

    @property
    def root(self) -> Path:
        return self.paths.state_dir / RUNS

    @property
    def of_runs(self) -> RunFolders:
        return RunFolders(self.root)

    def code(self, who: Account | None) -> Path:
        """The texts that are served: of locations that run as the daemon's user, or as `who`."""
        return self.root / ("code" if who is None else f"code-{who.uid}")

    def make_code(self, who: Account | None) -> Path:
        """Raises OSError."""
        return self._made(self.code(who), who)

    def make_values(self, location: str, repository: str, who: Account | None) -> Path:
        """Raises OSError."""
        return self._made(self.paths.values(location, repository), who)

    def make_run(self, folder: Path, who: Account | None) -> Path:
        """Raises OSError."""
        return self._made(folder, who)

    def _made(self, folder: Path, who: Account | None) -> Path:
        make_folder(folder)
        found = folder.stat()
        owner = os.geteuid() if who is None else who.uid
        if found.st_uid == owner:
            self._lead_to(folder, who)
            return folder
        if found.st_uid != os.geteuid() or who is None or any(folder.iterdir()):
            raise PermissionError(
                f"{folder} belongs to user {found.st_uid}, and the location runs as user {owner};"
                f" move it away, or `chown -R {owner}` it"
            )
        os.chown(folder, who.uid, who.gid)
        self._lead_to(folder, who)
        return folder

    def _lead_to(self, folder: Path, who: Account | None) -> None:
        """Have the user reach the folder. Raises PermissionError where a folder above the daemon's
        own keeps it out."""
        if who is None:
            return
        above = folder.parent
        while above.is_relative_to(self.paths.state_dir):
            mode = stat.S_IMODE(above.stat().st_mode)
            if mode & PASS != PASS:
                above.chmod(mode | PASS)
            above = above.parent
        if (closed := barrier(folder, who.uid, who.groups)) is not None:
            raise PermissionError(
                f"user {who.name} may not pass {closed}, where its runs have their folders;"
                f" use another state_dir, or `chmod o+x {closed}`"
            )
