"""The files and folders of a store.

keys/KEY.json           names the folder of a ready environment: the only point of publication
environments/KEY-HEX/   final from the start, never renamed while in use, never rebuilt in place
resolutions/KEY/        the lock that an inputs key was resolved to
locks/KEY.lock          held by a builder, so that work is not done twice
leases/KEY-HEX.lock     shared by all processes that use an environment; its time is the last use
trash/                  what is being removed
pythons/                Pythons that were fetched
bundle/HASH/            what runners are run from; HASH.lock beside it is shared by its daemons
bytecode/KEY/           compiled files of environments that are not ours and bring none
cache/                  downloads, interpreters
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from codeloc_envs.files import make_folder
from codeloc_envs.ownership import distrusted

DRAFT_BUNDLE = ".bundle-"
"""How the name of a bundle begins that is being written."""


class Layout:
    """The paths of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys = root / "keys"
        self.environments = root / "environments"
        self.resolutions = root / "resolutions"
        self.locks = root / "locks"
        self.leases = root / "leases"
        self.leftovers = root / "leftovers"
        """What is to be put back in projects that are being built."""
        self.trash = root / "trash"
        self.packages = root / "cache/uv"
        self.packages_lock = self.locks / "packages.lock"
        """Shared by builders, exclusive for the collector that cleans the package cache."""
        self.virtualenv = root / "cache/virtualenv"
        self.pythons = root / "pythons"
        """Those that uv fetched."""
        self.bundles = root / "bundle"
        self.former_bundles = root / "kit"
        """Where bundles lay as long as they were called kits: nothing uses them any more."""
        self.bytecode = root / "bytecode"
        self.interpreters = root / "cache/interpreters.json"
        self.activations = root / "cache/activations.json"

    def bundle_lock(self, name: str) -> Path:
        """Shared by the daemons that use this bundle; its time is the last use."""
        return self.bundles / f"{name}.lock"

    def pointer(self, key: str) -> Path:
        return self.keys / f"{key}.json"

    def lock(self, key: str) -> Path:
        return self.locks / f"{key}.lock"

    def lease(self, name: str) -> Path:
        return self.leases / f"{name}.lock"

    def prepare(self) -> None:
        """Make its folders, for their owner alone; raises OSError.

        Not in a folder of another user, who could put there what is run: PermissionError.
        """
        why = distrusted(self.root, {os.geteuid(), 0}, private=True)
        if why:
            remedy = "name a folder of your own as [daemon] store, or change its owner and mode"
            raise PermissionError(errno.EPERM, f"{why}; {remedy}")
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
            make_folder(folder)
