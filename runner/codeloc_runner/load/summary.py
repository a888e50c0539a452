"""Summarises an error in one line: its kind, what is missing or wrong, and the user's line."""

from __future__ import annotations

import os
import re

from . import exceptions
from .sources import is_source, source_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    Place = Tuple[str, int]


CHARACTERS = 500
CAUSES = 4
"""How many errors that Dagster has wrapped in each other are told."""
LINES = 200
"""How many lines of a message are read."""
OS = ("<frozen os>", os.__file__)
DRAWN = "├└│─|+>^-=~*#"
"""What begins a line that draws something."""
VALIDATION = re.compile(r"\d+ validation errors? for ")
"""How a message of pydantic's begins; the next two lines have a field and what is wrong with it."""
DETAILS = re.compile(r"\s*[\[(]type=.*$")
"""What pydantic adds: codes, and values that may be secret."""
MARK = re.compile(r'^in "(.+)", line (\d+), column (\d+)')
"""Where PyYAML's errors are, on a line of its own, after what is wrong there."""
ERROR = re.compile(r"^Error \d+: ")
"""How Dagster numbers what is wrong with a config."""
PATH = re.compile(r" at path ([\w:\[\].-]+)")
VARIABLE = re.compile(
    r"""[Ee]nvironment [Vv]ariable:?\s+["'`](\w+)["'`]"""
    r"|[Ee]nvironment [Vv]ariable:?\s+([A-Z][A-Z0-9_]+)\b"
    r"""|["'`]?\b([A-Z][A-Z0-9_]+)["'`]? environment variable"""
    r"|\b([A-Z][A-Z0-9_]+) not found\. Declare it as envvar"
    r"|\benv\.([A-Za-z_]\w*)"
)
"""How libraries say which variable they miss; the last is of Dagster's components."""
ASKED = re.compile(
    r"(?:^\s*(\w+)\s*(?::[^=]+)?=.*?)?(?:(?:\bgetenv|\benviron\.get)\(\s*[\"'](\w+)[\"']\s*\)"
    r"|\bEnvVar\(\s*[\"'](\w+)[\"']\s*\)\.get_value\(\s*\))"
)
"""A line that asks for a variable and takes None where it is not set."""
ASKING = ("__getitem__", "__delitem__")
"""The methods of `os.environ` that fail where there is no such variable."""


def summarize(error: BaseException, working_directory: str) -> str:
    """`ImportError: No module named 'foo' (defs.py:3)`."""
    place, said = where(error), told_with_cause(error)
    file = described_in(error)
    if file and file not in said:
        said = f"{said.rstrip('.')} in {file}"
    if len(said) > CHARACTERS:
        said = exceptions.bounded(said, CHARACTERS)
    return f"{said} ({told_place(place, working_directory)})" if place else said


def told_place(place: Place, working_directory: str) -> str:
    file, line = place
    if file.startswith(working_directory + os.sep):
        file = file[len(working_directory) + 1 :]
    return f"{file}:{line}"


def told_with_cause(error: BaseException) -> str:
    *outer, last = [one_line(one) for one in told_of(error)]
    return ", because ".join([*(said.rstrip(".") for said in outer), last])


def told_of(error: BaseException) -> List[BaseException]:
    """Dagster wraps an error in another; the one inside often is the one with the name in it.

    So do others: then what names a thing that is missing is told.
    """
    chain = exceptions.chain_of(error)
    told = chain[:1]
    for outer, one in zip(chain[:CAUSES], chain[1:]):
        meant = exceptions.origin_of(outer)[1]
        if not (meant and exceptions.owner_of(outer) in exceptions.DAGSTER):
            name = missing_in(one, meant)
            if not name or name in headline(outer):
                break
        said = headline(one)
        if said and said in headline(outer):
            told.pop()
        told.append(one)
    return told


def missing_in(error: BaseException, meant: bool) -> str:
    """The variable, file, module or key that an error is about; "" for other errors.

    `meant`: raised `from` it. What merely came before may have been dealt with: there, a variable.
    """
    variable = variable_of(error)
    if variable or not meant or exceptions.traceback_of(error) is None:
        return variable or ""
    name: object = None
    if exceptions.is_a(error, OSError):
        name = exceptions.attribute(error, OSError, "filename")
    elif exceptions.is_a(error, ImportError):
        name = exceptions.attribute(error, ImportError, "name")
    elif exceptions.is_a(error, KeyError):
        name = exceptions.message(error).strip("'\"")
    return name if type(name) is str else ""


def described_in(error: BaseException) -> Optional[str]:
    """The YAML file that Dagster was reading a component from, where no user code came after."""
    for one in reversed(told_of(error)):
        file, entered = None, False
        for entry in exceptions.entries_of(exceptions.traceback_of(one)):
            code = entry.tb_frame.f_code.co_filename
            if f"{os.sep}dagster{os.sep}components{os.sep}" in code:
                found = [v for v in entry.tb_frame.f_locals.values() if is_description(v)]
                file = str(found[0]) if found else file
            elif is_users(code):
                file, entered = None, True
        if file or entered:
            return file
    return None


def is_description(value: object) -> bool:
    return type(value).__name__ == "PosixPath" and str(value).endswith((".yaml", ".yml"))


def one_line(error: BaseException) -> str:
    name, said = exceptions.type_name(error), headline(error)
    members, count = exceptions.members_of(error)
    if members:
        others = f" and {count - 1} more" if count > 1 else ""
        return f"{name}: {said}: {one_line_of_member(members[0])}{others}"
    return f"{name}: {said}" if said else name


def one_line_of_member(error: BaseException) -> str:
    """Groups in groups end somewhere."""
    for one in exceptions.all_of(error):
        if not exceptions.members_of(one)[0]:
            said = headline(one)
            return f"{exceptions.type_name(one)}: {said}" if said else exceptions.type_name(one)
    return exceptions.type_name(error)


def headline(error: BaseException) -> str:
    if exceptions.is_a(error, SystemExit):
        status = " ".join(readable(exceptions.message(error))[:1])
        return f"sys.exit({status}) was called{' while the code was imported' * imports(error)}"
    if exceptions.is_a(error, SyntaxError):
        return syntax(error)
    variable = variable_of(error)
    if variable and exceptions.is_a(error, KeyError):
        return f"the environment variable {variable!r} is not set"
    text = exceptions.message(error)
    said = announced(readable(text)) or text[:CHARACTERS].strip()
    if variable and variable not in said:
        said = f'{said}: the environment variable "{variable}" is not set'
    if not said and exceptions.is_a(error, AssertionError):
        place = where(error)
        return source_line(*place) if place else ""
    return said


def imports(error: BaseException) -> bool:
    """Whether it comes from a module's own lines, and not from a function that a run has called."""
    entries = exceptions.entries_of(exceptions.traceback_of(error))
    return any(entry.tb_frame.f_code.co_name == "<module>" for entry in entries)


def syntax(error: BaseException) -> str:
    said = exceptions.attribute(error, SyntaxError, "msg")
    file = exceptions.attribute(error, SyntaxError, "filename")
    said = said if type(said) is str else exceptions.message(error)
    if type(file) is str and not is_users(file):
        line = exceptions.attribute(error, SyntaxError, "lineno")
        return f"{said} in {file}, line {line}"
    return said


def readable(text: str) -> List[str]:
    """The lines that say something, without what only draws."""
    lines = (line.strip() for line in exceptions.bounded(text, 20_000).splitlines()[:LINES])
    return [line for line in lines if any(character.isalnum() for character in line)]


def announced(lines: List[str]) -> str:
    """The first line, and what it only announces."""
    if not lines:
        return ""
    first, rest = lines[0], lines[1:]
    found = VALIDATION.search(first)
    if found:
        return validation(first[found.start() :], rest)
    marks = [index for index, line in enumerate(rest) if MARK.match(line)]
    if marks:
        found = MARK.match(rest[marks[-1]])
        said = lines[marks[-1]] if not MARK.match(lines[marks[-1]]) else first
        return f"{said} in {found[1]}:{found[2]}" if found else said
    wrong = [ERROR.sub("", line) for line in rest if ERROR.match(line)]
    if wrong:
        place = PATH.search(wrong[0])
        if wrong[0].endswith("failed:") and place:
            return f"{first}, {place[1]}{failed(rest)}"
        return f"{first}: {wrong[0]}" + (f" and {len(wrong) - 1} more" if wrong[1:] else "")
    pointed = [at for at, line in enumerate(rest) if line.startswith("| ") and "^ " in line]
    if pointed:
        after = [rest[pointed[0]].partition("^ ")[2], *rest[pointed[0] + 1 :]]
        return f"{first}: {announced(after)}"
    if rest and is_announcement(first) and not rest[0].startswith(tuple(DRAWN)):
        return f"{first} {rest[0]}"
    return first.rstrip(":") if rest else first


def failed(lines: List[str]) -> str:
    """What Dagster says below an error of a config; what variable is not set is told elsewhere."""
    at = next(index for index, line in enumerate(lines) if ERROR.match(line))
    _, _, said = "".join(lines[at + 1 : at + 2]).partition(": ")
    return f": {said}" if said and " not set" not in said else ""


def is_announcement(line: str) -> bool:
    """`Runtime Error`, as dbt begins; or what ends with a colon."""
    return line.endswith(":") or (line.endswith(("Error", "error")) and line.count(" ") < 3)


def validation(first: str, rest: List[str]) -> str:
    """`2 validation errors for Settings: dsn: Field required`; the values are not told."""
    field, wrong = [*rest, "", ""][:2]
    field, _, place = field.strip("`").partition(" at ")
    wrong = DETAILS.sub("", wrong)
    if field.endswith(":"):  # of the whole model
        field = field[:-1]
    said = ": ".join(filter(None, [first, field if wrong else DETAILS.sub("", field), wrong]))
    return f"{said} in {place}" if place else said


def variable_of(error: BaseException) -> Optional[str]:
    """The environment variable that an error is about, where it is not set indeed."""
    if exceptions.is_a(error, KeyError):
        return asked_of_environ(error)
    said = exceptions.bounded(exceptions.message(error), 20_000)
    found = VARIABLE.search(said)
    if found is None:
        return unset_of(error) if "NoneType" in said else None
    name = next(part for part in found.groups() if part)
    return None if name in os.environ else name


def unset_of(error: BaseException) -> Optional[str]:
    """The variable that the user's line has None for: asked there, or where a name is given it."""
    place = own_place(error)
    if place is None:
        return None
    line = source_line(*place)
    for text in (line, *lines_of(place[0])):
        found = ASKED.search(text)
        if found:
            given, name = found[1], found[2] or found[3]
            here = text == line or (given and re.search(rf"\b{given}\b", line))
            if here and name not in os.environ:
                return name
    return None


def lines_of(file: str) -> List[str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as source:
            return source.read(exceptions.TEXT_CHARACTERS).splitlines()
    except OSError:
        return []


def asked_of_environ(error: BaseException) -> Optional[str]:
    """What `os.environ[NAME]` did not find."""
    entries = list(exceptions.entries_of(exceptions.traceback_of(error)))
    code = entries[-1].tb_frame.f_code if entries else None
    if code is None or code.co_name not in ASKING or code.co_filename not in OS:
        return None
    arguments = exceptions.attribute(error, BaseException, "args")
    name = arguments[0] if type(arguments) is tuple and arguments else None
    name = os.fsdecode(name) if type(name) is bytes else name
    return exceptions.bounded(name, CHARACTERS) if type(name) is str else None


def where(error: BaseException) -> Optional[Place]:
    """The innermost line of the location's own code, else of any file but the reporter's."""
    if exceptions.is_a(error, SyntaxError):
        file = exceptions.attribute(error, SyntaxError, "filename")
        line = exceptions.attribute(error, SyntaxError, "lineno")
        if type(file) is str and is_users(file):
            return file, line if type(line) is int else 0
    for one in (*reversed(told_of(error)), *exceptions.all_of(error)):
        own = own_place(one)
        if own is not None:
            return own
    places = [place for place in places_of(error) if os.path.isfile(place[0])]
    if not places or exceptions.owner_of(error) in exceptions.FAMILIES:
        return None
    return places[-1]


def own_place(error: BaseException) -> Optional[Place]:
    return next((place for place in reversed(places_of(error)) if is_users(place[0])), None)


def places_of(error: BaseException) -> List[Place]:
    entries = exceptions.entries_of(exceptions.traceback_of(error))
    return [(entry.tb_frame.f_code.co_filename, entry.tb_lineno or 0) for entry in entries]


def is_users(file: str) -> bool:
    """A file that can be opened: not `<frozen os>`, not `<string>`, not a member of a zip."""
    return os.path.isfile(file) and is_source(os.path.abspath(file))
