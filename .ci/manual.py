"""Writes man pages from what `--help` says of each command, and from the schema of codelocd.toml.

`make man` runs it: codelocd(1), a page for each command, and codelocd.toml(5). Nothing in them is
written by hand but the few lines here. `groff_man(7)` describes the macros.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from cli_reference import commands

from codelocd import __version__
from codelocd.cli.app import app
from codelocd.config.__init__ import json_schema

OUTPUT = Path(__file__).parents[1] / "build" / "man"
Schema = Mapping[str, Any]

FILES = (
    ("codelocd.toml", "The config of a project, found by searching upwards."),
    ("~/.config/codelocd/codelocd.toml", "The config of the service of a user."),
    ("/etc/codelocd/codelocd.toml", "The config of the system's service."),
)


def pages() -> dict[str, str]:
    """Path below the folder of man pages → text."""
    found: dict[str, list[tuple[str, click.Context]]] = {}
    for path, context in commands("codelocd", app, None):
        found.setdefault("-".join(path.split()[:2]), []).append((path, context))
    names = sorted(found)
    texts = {f"man1/{name}.1": _page(name, found[name], names) for name in names}
    return {**texts, "man5/codelocd.toml.5": _config_page(json_schema())}


def _page(name: str, described: Sequence[tuple[str, click.Context]], names: Sequence[str]) -> str:
    """One command with the commands below it, or codelocd itself with its list of commands."""
    (path, context), *below = described
    lines = [_head(name, 1), ".SH NAME", _name(name, _summary(context.command))]
    lines += [".SH SYNOPSIS", *_synopsis(path, context)]
    lines += [".SH DESCRIPTION", *_prose(context.command.help or "")]
    lines += _options("SH", context)
    for each, inner in below:
        lines += [f'.SH "{_text(each)}"', *_synopsis(each, inner), ".PP"]
        lines += [*_prose(inner.command.help or ""), *_options("SS", inner)]
    if name == "codelocd":
        lines += [".SH COMMANDS", *_list(_commands_of(context)), ".SH FILES", *_list(FILES)]
    seen = [each for each in names if each != name] if name == "codelocd" else ["codelocd"]
    return _ended(lines, [*(f"{each}(1)" for each in seen), "codelocd.toml(5)"])


def _config_page(whole: Schema) -> str:
    lines = [_head("codelocd.toml", 5), ".SH NAME"]
    lines += [_name("codelocd.toml", "the locations of a codelocd daemon"), ".SH DESCRIPTION"]
    lines += _prose(
        "TOML, read by codelocd(1). Paths are relative to the file; ~ is the user's folder. "
        "Durations are seconds, or text with a unit: ms, s, min, h, d. Sizes are bytes, or text "
        "with a unit: B, kB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024). "
        "The same tables may stand under [tool.codelocd] in pyproject.toml. `codelocd config "
        "validate` checks a config."
    )
    lines += [
        "",
        *_example(
            '[location.sales]\nmodule = "sales.definitions"\n'
            '[location.sales.environment]\npackages = ["pandas>=2"]'
        ),
    ]
    for title, table in _tables(whole):
        lines += [f'.SH "{_text(title)}"', *_prose(str(table.get("description", "")))]
        lines += _list([(_key(*each), _meaning(each[1])) for each in table["properties"].items()])
    return _ended(lines, ["codelocd(1)", "codelocd-config(1)"])


def _tables(whole: Schema) -> Iterator[tuple[str, Schema]]:
    """Each table of the config by the name that its users write, outer ones first."""
    named: list[tuple[str, Schema]] = [("", whole)]
    while named:
        path, table = named.pop(0)
        if path:
            yield f"[{path}]", table
        for key, value in table.get("properties", {}).items():
            inner = _reference(whole, value)
            mapped = _reference(whole, value.get("additionalProperties") or {})
            if inner is not None:
                named.append((f"{path}.{key}".lstrip("."), inner))
            elif mapped is not None:
                named.append((f"{path}.{key}.NAME".lstrip("."), mapped))


def _reference(whole: Schema, value: Any) -> Schema | None:
    """The table with keys of its own that a value of the schema is, or may be."""
    if not isinstance(value, Mapping):
        return None
    for each in (value, *value.get("anyOf", ()), *value.get("allOf", ())):
        if "$ref" in each:
            found: Schema = whole["$defs"][each["$ref"].rpartition("/")[2]]
            return found if "properties" in found else None
    return None


def _key(name: str, value: Schema) -> str:
    default = value.get("default")
    shown = "" if default in (None, [], {}) else f" (default: {_toml(default)})"
    return f"{name}{shown}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _meaning(value: Schema) -> str:
    choices = [each for one in (value, *value.get("anyOf", ())) for each in one.get("enum", ())]
    shown = f" One of {', '.join(map(_toml, choices))}." if choices else ""
    return f"{value.get('description', '')}{shown}".strip() or "See the table of this name."


def _commands_of(context: click.Context) -> Iterator[tuple[str, str]]:
    assert isinstance(context.command, click.Group)
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        assert command is not None
        yield name, _summary(command)


def _summary(command: click.Command) -> str:
    text = " ".join((command.help or "").split("\n\n", 1)[0].split())
    return (text[:1].lower() + text[1:]).rstrip(".")


def _synopsis(path: str, context: click.Context) -> list[str]:
    arguments = " ".join(context.command.collect_usage_pieces(context))
    return [f"\\fB{_text(path)}\\fR {_text(arguments)}"]


def _options(macro: str, context: click.Context) -> list[str]:
    records = (each.get_help_record(context) for each in context.command.get_params(context))
    shown = _list([record for record in records if record is not None and record[1]])
    return [f".{macro} OPTIONS", *shown] if shown else []


def _prose(text: str) -> list[str]:
    """Paragraphs; those that follow a backspace, as click has it, keep their lines."""
    lines: list[str] = []
    for number, paragraph in enumerate(inspect.cleandoc(text).replace("`\b`", "").split("\n\n")):
        lines += [".PP"] if number else []
        if paragraph.lstrip().startswith("\b"):
            lines += _example(textwrap.dedent(paragraph.lstrip().removeprefix("\b").lstrip("\n")))
        else:
            lines += _wrapped(paragraph)
    return lines


def _example(text: str) -> list[str]:
    return [".nf", ".RS 4", *map(_text, text.splitlines()), ".RE", ".fi"]


def _wrapped(text: str) -> list[str]:
    """Short lines, as readers of the source expect; words are not divided."""
    width = 72  # what is escaped becomes longer
    found = textwrap.wrap(
        " ".join(text.split()), width, break_on_hyphens=False, break_long_words=False
    )
    return [_text(line) for line in found]


def _list(records: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> list[str]:
    return [
        line
        for term, text in records
        for line in (".TP", f"\\fB{_text(term)}\\fR", *_wrapped(text))
    ]


def _head(name: str, section: int) -> str:
    """The date is that of the source, as `make` sets it: two builds of it are equal."""
    date = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC).date()
    return f'.TH {_text(name).upper()} {section} "{date}" "codelocd {__version__}"'


def _name(name: str, summary: str) -> str:
    return f"{_text(name)} \\- {_text(summary)}"


def _ended(lines: Sequence[str], seen: Sequence[str]) -> str:
    listed = ",\n".join(re.sub(r"^(.*)\((\d)\)$", r".BR \1 (\2)", each) for each in seen)
    listed = re.sub(r" \((\d)\),$", r" (\1),", listed, flags=re.MULTILINE)
    return "\n".join([*lines, '.SH "SEE ALSO"', listed.replace("-", "\\-")]) + "\n"


def _text(text: str) -> str:
    """As roff reads it: no dash becomes a hyphen, and no line begins with a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = escaped.replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    shutil.rmtree(output, ignore_errors=True)
    for path, text in pages().items():
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        (output / path).write_text(text)
    sys.stdout.write(f"wrote {output}\n")


if __name__ == "__main__":
    main()
