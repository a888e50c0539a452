"""The env files that a config names, each read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from codelocd.config import dotenv
from codelocd.config.document import Document
from codelocd.config.mistakes import ConfigError, KeyPath, gathered

EnvFiles = Mapping[Path, Mapping[str, str]]
"""By absolute path, what each file adds to the daemon's variables; the last one wins."""

NAME = ".env"
"""The file that Dagster's commands read unasked."""


def read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a file adds: it never overrides a variable that is really set; ConfigError."""
    variables = dotenv.read(path, environ)
    return {name: value for name, value in variables.items() if name not in environ}


def read_named(
    document: Document, named: Iterable[tuple[KeyPath, str]], environ: Mapping[str, str]
) -> EnvFiles:
    """The files that the document names, each at a key; ConfigError with what is wrong in all."""
    places = {document.absolute(text): key for key, text in named}

    def entry(path: Path) -> tuple[Path, Mapping[str, str]]:
        if not path.is_file():
            what, remedy = f"no such file: {path}", "create it or remove the key"
            if path.is_dir():
                what, remedy = f"is a folder: {path}", "name a file in it, or remove the key"
            mistake = document.mistake(places[path], what, remedy)
            raise ConfigError([replace(mistake, absent=path)])
        return path, read(path, environ)

    return dict(gathered(partial(entry, path) for path in places))


def joined(files: EnvFiles) -> dict[str, str]:
    """What all of them add together."""
    return {name: value for file in files.values() for name, value in file.items()}


def looked_for(folder: Path) -> tuple[Path, ...]:
    """Where `beside` looks."""
    return (folder / NAME,)


def beside(folder: Path, environ: Mapping[str, str]) -> EnvFiles:
    """The `.env` in a folder, where there is one; ConfigError."""
    path = folder / NAME
    return {path: read(path, environ)} if path.is_file() else {}
