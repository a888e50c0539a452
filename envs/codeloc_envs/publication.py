"""The record that makes an environment exist: without it, a folder is only remains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from codeloc_envs.environment import Environment, Origin
from codeloc_envs.fingerprint import EnvironmentKey
from codeloc_envs.json_file import read_json, write_json
from codeloc_envs.layout import Layout
from codeloc_envs.lease import last_used


@dataclass(frozen=True, slots=True)
class Publication:
    """What is known of a ready environment.

    `directory` is its folder's name; `site` its site-packages' fingerprint; `packages` are
    `name==version`; sizes in bytes on disk, of which `shared` in files that the package cache
    or other environments link to as well; `created` in Unix seconds.
    """

    key: EnvironmentKey
    directory: str
    python: str
    interpreter: str
    site: str
    packages: tuple[str, ...]
    size: int
    shared: int
    created: float

    def last_used(self, layout: Layout) -> float:
        """In Unix seconds; when it was created if nobody has used it since."""
        return last_used(layout.lease(self.directory)) or self.created

    def environment(self, layout: Layout, origin: Origin, sources: tuple[Path, ...]) -> Environment:
        path = layout.environments / self.directory
        return Environment(
            self.key,
            path,
            self.python,
            path / "bin/python",
            origin,
            has_bytecode=True,
            sources=sources,
        )


def read_publication(layout: Layout, key: str) -> Publication | None:
    data = read_json(layout.pointer(key))
    return Publication(**{**data, "packages": tuple(data["packages"])}) if data else None


def publish(layout: Layout, publication: Publication) -> None:
    """From now on it is found."""
    write_json(layout.pointer(publication.key), asdict(publication))


def publications(layout: Layout) -> Iterator[Publication]:
    """All that are published, in the order of their keys."""
    for pointer in sorted(layout.keys.glob("*.json")):
        publication = read_publication(layout, pointer.stem)
        if publication is not None:
            yield publication
