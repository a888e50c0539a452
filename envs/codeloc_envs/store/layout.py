"""Where things lie in a store.

keys/KEY.json           names the folder of a ready environment: the only point of publication
environments/KEY-HEX/   final from the start, never renamed while in use, never rebuilt in place
resolutions/KEY/        the lock that an inputs key was resolved to
locks/KEY.lock          held by a builder, so that work is not done twice
leases/KEY-HEX.lock     shared by everyone who uses an environment; its time is the last use
trash/                  what is being removed
pythons/                Pythons that were fetched
bundle/HASH/            what runners are run from; HASH.lock beside it is shared by its daemons
bytecode/KEY/           compiled files of environments that are not ours and bring none
cache/                  downloads, interpreters
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DRAFT_BUNDLE = ".bundle-"
"""How the name of a bundle begins that is being written."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of the store at `root`."""

    root: Path

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    @property
    def resolutions(self) -> Path:
        return self.root / "resolutions"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def leases(self) -> Path:
        return self.root / "leases"

    @property
    def leftovers(self) -> Path:
        """What is to be put back in projects that are being built."""
        return self.root / "leftovers"

    @property
    def trash(self) -> Path:
        return self.root / "trash"

    @property
    def packages(self) -> Path:
        return self.root / "cache/uv"

    @property
    def packages_lock(self) -> Path:
        """Shared by builders, exclusive for who cleans the package cache."""
        return self.locks / "packages.lock"

    @property
    def virtualenv(self) -> Path:
        return self.root / "cache/virtualenv"

    @property
    def pythons(self) -> Path:
        """Those that uv fetched."""
        return self.root / "pythons"

    @property
    def bundles(self) -> Path:
        return self.root / "bundle"

    @property
    def former_bundles(self) -> Path:
        """Where bundles lay as long as they were called kits: nothing uses them any more."""
        return self.root / "kit"

    def bundle_lock(self, name: str) -> Path:
        """Shared by the daemons that use this bundle; its time is the last use."""
        return self.bundles / f"{name}.lock"

    @property
    def bytecode(self) -> Path:
        return self.root / "bytecode"

    @property
    def interpreters(self) -> Path:
        return self.root / "cache/interpreters.json"

    @property
    def activations(self) -> Path:
        return self.root / "cache/activations.json"

    def pointer(self, key: str) -> Path:
        return self.keys / f"{key}.json"

    def lock(self, key: str) -> Path:
        return self.locks / f"{key}.lock"

    def lease(self, name: str) -> Path:
        return self.leases / f"{name}.lock"

    def prepare(self) -> None:
        """Make its folders, for their owner alone; raises OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (
            self.keys,
            self.environments,
            self.resolutions,
            self.locks,
            self.leases,
            self.trash,
            self.leftovers,
            self.packages,
        ):
            folder.mkdir(parents=True, exist_ok=True)
