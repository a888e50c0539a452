"""A lock as pinned requirements, where its packages come from indexes.

uv caches what a `pylock.toml` names by its address, and asks again for all of it whenever one
package is missing; what comes from an index it caches by version, for good (measured: one more
package beside dagster and pandas took 180 MB and all the downloads again).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codeloc_envs.lock import Lock


def pinned(lock: Lock) -> str | None:
    """The text of a requirements file, None where the lock says more than that can.

    The hashes make sure that the same files are installed, whichever index has them.
    """
    if not lock.packages or not all(map(_has_hashes, lock.packages)):
        return None
    return "".join(f"{' '.join(_words(each))}\n" for each in lock.packages)


def _has_hashes(package: Mapping[str, Any]) -> bool:
    elsewhere = {"directory", "archive", "vcs", "index"} & package.keys()
    files = list(_files(package))
    return (
        bool(files)
        and not elsewhere
        and "version" in package
        and all(file.get("hashes") for file in files)
    )


def _words(package: Mapping[str, Any]) -> Iterator[str]:
    yield f"{package['name']}=={package['version']}"
    if "marker" in package:
        yield f"; {package['marker']}"
    for file in _files(package):
        for name, digest in file["hashes"].items():
            yield f"--hash={name}:{digest}"


def _files(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from package.get("wheels", ())
    if "sdist" in package:
        yield package["sdist"]
