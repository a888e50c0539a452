"""The tables of environments: what is in one, and where packages come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from codeloc_envs.request import ORDINARY
from codelocd.config.errors import UnfitError
from codelocd.config.values import CredentialName, Table, Text


class EnvironmentTable(Table):
    """What the location's Python environment is made of, or where an existing one is."""

    python: Text | None = Field(
        default=None,
        description='A version ("3.12"), a specifier (">=3.9,<3.11") or the path of a Python.',
    )
    packages: list[Text] = Field(default=[], description="Requirements as pip takes them.")
    requirements: list[Text] = Field(default=[], description="Paths of requirements files.")
    project: Text | None = Field(default=None, description="Folder of a pyproject.toml to install.")
    extras: list[Text] = Field(default=[], description="Extras of the project or lock.")
    groups: list[Text] = Field(default=[], description="Dependency groups of the project or lock.")
    lock: Text | None = Field(default=None, description="Path of a uv.lock or pylock.toml.")
    path: Text | None = Field(default=None, description="An existing environment, never modified.")
    link_mode: Literal["hardlink", "clone", "copy"] = Field(
        default=ORDINARY.link_mode,
        description="How packages get in; copy, if you edit what is installed.",
    )
    installer: Literal["uv", "pip"] = Field(
        default=ORDINARY.installer, description="Who resolves and installs."
    )
    allow_python_download: bool = Field(
        default=ORDINARY.allow_python_download,
        description="Whether uv may fetch a Python that this machine does not have.",
    )


class IndexTable(Table):
    """Where packages come from, instead of what uv and pip are configured with."""

    url: Text | None = Field(default=None, description="The index.")
    extra: list[Text] = Field(
        default=[], description="Further indexes, asked before it; the first with a name gives it."
    )
    find_links: list[Text] = Field(default=[], description="Folders or pages of files.")
    certificate: Text | None = Field(default=None, description="Path of a bundle of certificates.")
    keyring: bool = Field(default=False, description="Passwords come from the keyring program.")
    credential: CredentialName | None = Field(
        default=None,
        description="A file in $CREDENTIALS_DIRECTORY with user:password for the url.",
    )

    @model_validator(mode="after")
    def _is_for_somewhere(self) -> IndexTable:
        if self.credential and not self.url:
            raise UnfitError("has a credential without a url", "add url, or remove credential")
        return self
