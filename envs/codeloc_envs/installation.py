"""Where packages come from, and how they are put into an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

LinkMode = Literal["hardlink", "clone", "copy"]
InstallerName = Literal["uv", "pip"]


@dataclass(frozen=True, slots=True)
class Index:
    """Where packages come from; an empty one leaves it to what uv and pip are configured with.

    `url` is the index, `extra` further ones that are asked before it (the first that has a
    name gives it), `find_links` folders or pages of files. `certificate` is a bundle of
    certificates. `keyring`: passwords come from the `keyring` program. `credential` names a file
    in `$CREDENTIALS_DIRECTORY` with one line `user:password`, for the host of `url`
    (https://systemd.io/CREDENTIALS/).
    """

    url: str | None = None
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    certificate: Path | None = None
    keyring: bool = False
    credential: str | None = None

    @property
    def names_places(self) -> bool:
        """It replaces the indexes that uv and pip are configured with."""
        return bool(self.url or self.extra or self.find_links)


ANYWHERE = Index()


@dataclass(frozen=True, slots=True)
class Installation:
    """How an environment is built, whatever is in it.

    `link_mode`: `copy` for who edits installed packages; linked files are shared with the
    package cache and other environments. `allow_python_download`: uv may fetch a Python that
    this machine does not have.
    """

    index: Index = ANYWHERE
    link_mode: LinkMode = "hardlink"
    installer: InstallerName = "uv"
    allow_python_download: bool = False

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        certificate = self.index.certificate
        data["index"]["certificate"] = str(certificate) if certificate else None
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Installation:
        index = dict(data["index"])
        certificate = index["certificate"]
        index["certificate"] = Path(certificate) if certificate else None
        lists = {name: tuple(index[name]) for name in ("extra", "find_links")}
        return cls(**{**data, "index": Index(**{**index, **lists})})


ORDINARY = Installation()
"""What holds where nothing is said."""
