"""Whether an environment still is what was built."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from codeloc_envs.fingerprint import canonical, digest_bytes
from codeloc_envs.layout import Layout
from codeloc_envs.publication import Publication

_INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth", ".py")


def unfit(layout: Layout, publication: Publication) -> str | None:
    """Why it must not be used, None if it may; takes less than a millisecond."""
    path = layout.environments / publication.directory
    python = path / "bin/python"
    if not path.is_dir():
        return f"its folder {path} is gone"
    if not python.exists():
        return f"its Python {publication.interpreter} is gone"
    try:
        if site_fingerprint(path) != publication.site:
            return f"its packages were changed by someone else: {_difference(path, publication)}"
    except FileNotFoundError:
        return f"its folder {path} was removed a moment ago"
    return None


def site_fingerprint(prefix: Path) -> str:
    """Of what an installer leaves in site-packages: names, times and inodes.

    Importing changes none of it; `pip install` always does.
    """
    marks = [
        (entry.name, entry.stat(follow_symlinks=False).st_mtime_ns, entry.inode())
        for entry in _entries(prefix)
        if entry.name.endswith(_INSTALLED)
    ]
    return digest_bytes(canonical(sorted(marks)).encode())


def installed_packages(prefix: Path) -> tuple[str, ...]:
    """`name==version` of every package, sorted."""
    names = (entry.name for entry in _entries(prefix) if entry.name.endswith(".dist-info"))
    return tuple(sorted(_requirement(name) for name in names))


def _requirement(folder: str) -> str:
    """https://packaging.python.org/en/latest/specifications/recording-installed-packages/"""
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    return f"{name.replace('_', '-')}=={version}"


def _difference(path: Path, publication: Publication) -> str:
    now, then = set(installed_packages(path)), set(publication.packages)
    changes = [*(f"+ {name}" for name in now - then), *(f"- {name}" for name in then - now)]
    return ", ".join(sorted(changes)) or "files in site-packages"


def _entries(prefix: Path) -> Iterator[os.DirEntry[str]]:
    for site in prefix.glob("lib/*/site-packages"):
        with os.scandir(site) as entries:
            yield from entries
