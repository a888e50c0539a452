"""`setup.py` and `setup.cfg`: what can be known of them without running them."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from codeloc_envs.files import seen_source

NAMES = ("setup.py", "setup.cfg")
_CALL = re.compile(r"\bsetup\s*\(")
_FILE = re.compile(r"""[\w./-]+\.(?:txt|in|lock|toml|cfg|json|ya?ml)\b""")


def describing(folder: Path) -> Path | None:
    """The file that makes `folder` a project of setuptools; many a setup.cfg is of mere tools."""
    for name in NAMES:
        text = _text(folder / name)
        if name == "setup.py" and _CALL.search(text):
            return folder / name
        if name == "setup.cfg" and ("options" in (sections := _sections(text)) or _named(sections)):
            return folder / name
    return None


def requires_python(folder: Path) -> str | None:
    """`python_requires`, where it stands there as text."""
    config = _sections(_text(folder / "setup.cfg"))
    if said := config.get("options", "python_requires", fallback=None):
        return said
    try:
        tree = ast.parse(_text(folder / "setup.py"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last: nested too deeply
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "python_requires":
            value = getattr(node.value, "value", None)
            return value if isinstance(value, str) else None
    return None


def requirements(folder: Path, extras: Iterable[str]) -> list[str]:
    """What a `setup.cfg` asks for that stands alone, which neither pip nor uv installs."""
    config = _sections(_text(folder / "setup.cfg"))
    said = [config.get("options", "install_requires", fallback="")]
    said += [config.get("options.extras_require", extra, fallback="") for extra in extras]
    return [line for text in said for line in _lines(text, folder)]


def listed(folder: Path) -> Iterator[tuple[str, str]]:
    """The extra ("" for none) and the text of each requirement in a `setup.cfg`."""
    config = _sections(_text(folder / "setup.cfg"))
    texts = [("", config.get("options", "install_requires", fallback=""))]
    extras = "options.extras_require"
    texts += config.items(extras) if config.has_section(extras) else []
    for extra, text in texts:
        yield from ((extra, line) for line in _lines(text, folder))


def asking(folder: Path) -> Path | None:
    """The file to add a requirement to: `setup.cfg`, `setup.py`, or the one list that it reads."""
    config = _sections(_text(folder / "setup.cfg"))
    said = config.get("options", "install_requires", fallback=None)
    if said is not None:
        directive, _, names = said.strip().partition(":")
        return folder / (names.split(",")[0].strip() if directive == "file" else "setup.cfg")
    lists = [name for name in files_read(folder) if name.endswith((".txt", ".in"))]
    return folder / lists[0] if len(lists) == 1 else describing(folder)


def _lines(text: str, folder: Path) -> list[str]:
    """https://setuptools.pypa.io/en/stable/userguide/declarative_config.html"""
    directive, _, names = text.strip().partition(":")
    if directive == "file":
        text = "\n".join(_text(folder / name.strip()) for name in names.split(","))
    separated = text if "\n" in text else text.replace(";", "\n")
    return [line for each in separated.splitlines() if (line := each.strip())]


def files_read(folder: Path) -> Iterator[str]:
    """Names of files in `folder` that a build is told to read: `open("requirements.txt")`."""
    for name in NAMES:
        for found in dict.fromkeys(_FILE.findall(_text(folder / name))):
            if found not in NAMES and (folder / found).is_file():
                yield found


def _named(config: configparser.RawConfigParser) -> bool:
    return config.has_option("metadata", "name")


def _sections(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def _text(file: Path) -> str:
    """Nothing where it is missing: the build says what is wrong with it."""
    return seen_source(file) or ""
