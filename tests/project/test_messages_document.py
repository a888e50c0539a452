"""docs/messages.md and docs/troubleshooting.md have each message of the daemon, and no other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from codelocd.daemon.journald import PROBLEMS
from codelocd.model import ProblemKind

ROOT = Path(__file__).parents[2]
CODE = ROOT / "supervisor" / "codelocd"
LOGGING = {"report", "_report", "_on_problem", "warning", "error"}
"""The functions that a line for the daemon's log is given to; the last two are structlog's."""

MADE_IN = {
    ("daemon/service.py", "_told_of_refusal"): [("daemon/rights.py", "_tell", 0)],
    ("daemon/service.py", "_tell_why_not"): [
        ("daemon/service.py", "RpcError", 1),
        ("daemon/control_socket.py", "RpcError", 1),
    ],
    ("watch/folders.py", "_watch"): [],  # that function makes the line itself
    ("daemon/log.py", "observe"): [],  # its lines are the events in PROBLEMS
}
"""For a function that logs a line which it was given: where such lines are made, the function that
they are given to there, and the number of that argument."""

OTHERS = {
    ("core/problems.py", "of_load"): "a runner says it: docs/troubleshooting.md",
    ("daemon/preparation.py", "_failed"): "codeloc_envs says it: docs/troubleshooting.md",
    ("daemon/starts.py", "_start"): "codeloc_envs says it, of an environment that is gone",
    ("daemon/starts.py", "_start_placed"): "the same",
    ("daemon/starts.py", "_unfit"): "codeloc_envs says it, of a credential",
    ("daemon/starts.py", "crashed"): "its own callers say it, which are looked at",
}
"""Functions that make a problem of what others say."""

HOLE = "…"


@dataclass(frozen=True)
class Module:
    """`name`: its path in the package."""

    name: str
    tree: ast.Module

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@cache
def modules() -> tuple[Module, ...]:
    return tuple(
        Module(str(path.relative_to(CODE)), ast.parse(path.read_text()))
        for path in sorted(CODE.rglob("*.py"))
    )


@cache
def constants() -> dict[str, str]:
    """The texts that modules give names to."""
    return {
        target.id: node.value.value
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def texts(expression: ast.expr, function: ast.AST, module: Module) -> list[str]:
    """What it can be, with a hole for each part that only a run of the code knows."""
    match expression:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(_part(part, function, module) for part in parts)]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="format")):
            return [re.sub(r"\{[^}]*\}", HOLE, constants()[name])]
        case ast.Call(func=ast.Name(id=name)):
            return [
                text
                for made in module.functions()
                if made.name == name
                for node in ast.walk(made)
                if isinstance(node, ast.Return) and node.value is not None
                for text in texts(node.value, made, module)
            ]
        case ast.IfExp(body=one, orelse=other):
            return [*texts(one, function, module), *texts(other, function, module)]
        case ast.Name(id=name):
            return _assigned(name, function, module)
    return []


def _part(part: ast.expr, function: ast.AST, module: Module) -> str:
    """A part with one known text is that text: it is the beginning of the message, mostly."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    if isinstance(part.value, ast.Name) and part.value.id in constants():
        return constants()[part.value.id]
    known = texts(part.value, function, module) if isinstance(part.value, ast.Name) else []
    return known[0] if len(known) == 1 else HOLE


def _assigned(name: str, function: ast.AST, module: Module) -> list[str]:
    return [
        text
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == name
        for text in texts(node.value, function, module)
    ]


@dataclass(frozen=True)
class Message:
    text: str
    where: str


def logged() -> Iterator[Message]:
    """Each line that the daemon may log as a warning or an error."""
    for module, function, call in _calls():
        if _called(call) not in LOGGING or module.name.startswith(("cli/", "rpc/")):
            continue
        if (place := (module.name, function.name)) in MADE_IN:
            for name, given_to, number in MADE_IN[place]:
                yield from _given(name, given_to, number)
        elif call.args:
            found = texts(call.args[0], function, module)
            assert found, f"{place}: {ast.unparse(call)}: which text?"
            yield from (Message(text, ": ".join(place)) for text in found)


def _given(name: str, given_to: str, number: int) -> Iterator[Message]:
    for module, function, call in _calls():
        if module.name == name and _called(call) == given_to:
            for text in texts(call.args[number], function, module):
                yield Message(text, f"{name}: {function.name}")


def problems() -> Iterator[Message]:
    """The summary of each problem that the daemon makes, but for what others say in it."""
    yield from _given("daemon/releases.py", "DamagedRelease", 0)
    for module, function, call in _calls():
        number = {"Problem": 1, "crashed": 2}.get(_called(call))
        if number is not None and len(call.args) > number:
            place = module.name, function.name
            found = texts(call.args[number], function, module)
            assert found or place in OTHERS, f"{place}: {ast.unparse(call)}: which text?"
            yield from (Message(text, ": ".join(place)) for text in found)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@cache
def _calls() -> tuple[tuple[Module, ast.FunctionDef | ast.AsyncFunctionDef, ast.Call], ...]:
    return tuple(
        (module, function, node)
        for module in modules()
        for function in module.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    )


# --- the documents ---------------------------------------------------------------------------


def rows(document: str, *headings: str) -> list[str]:
    """The first cells of the tables below these headings, without the marks of code."""
    parts = re.split(r"^## ", (ROOT / "docs" / document).read_text(), flags=re.MULTILINE)
    chosen = [part for part in parts if not headings or part.startswith(headings)]
    cells = re.findall(r"^\| (``?)(.+?)\1 ", "\n".join(chosen), flags=re.MULTILINE)
    return [text.strip() for _, text in cells]


def alternatives(cell: str) -> list[str]:
    """A cell may have several messages: `a`, `b`."""
    return [cell, *cell.split("`, `")]


def fits(message: str, shown: str) -> bool:
    """Whether a document shows it, perhaps with an example in the place of a hole."""
    pattern = ".*".join(map(re.escape, re.split("…+", message)))
    return re.fullmatch(pattern, shown) is not None


OF_LOG = ("What the daemon says", "Runs", "Files and folders", "Metrics, notifications")


def test_each_line_of_the_log_is_in_the_index_of_messages() -> None:
    shown = rows("messages.md", *OF_LOG)
    missing = [each for each in logged() if not any(fits(each.text, row) for row in shown)]
    assert missing == [], "say what it means and what to do in docs/messages.md"


def test_the_index_of_messages_has_no_line_that_the_daemon_does_not_log() -> None:
    known = {each.text for each in logged()}
    shown = rows("messages.md", *OF_LOG)
    assert [row for row in shown if not any(fits(text, row) for text in known)] == []


def test_each_problem_that_the_daemon_finds_is_in_a_document() -> None:
    shown = [
        each
        for row in (*rows("messages.md"), *rows("troubleshooting.md"))
        for each in alternatives(row)
    ]
    missing = [each for each in problems() if not any(fits(each.text, row) for row in shown)]
    assert missing == [], "say what it means and what to do in docs/messages.md"


def test_the_index_of_messages_has_no_problem_that_the_daemon_does_not_find() -> None:
    known = {each.text for each in problems()} - {"the runner …", "…; … = …"}
    kinds = {*get_args(ProblemKind)}
    shown = [row for row in rows("messages.md", "The kinds of problems") if row not in kinds]
    assert shown
    assert [row for row in shown if not any(fits(text, row) for text in known)] == []


def test_each_event_and_each_kind_of_a_problem_is_in_the_index_of_messages() -> None:
    assert set(rows("messages.md", "What happens to a location")) == PROBLEMS
    assert set(get_args(ProblemKind)) <= set(rows("messages.md", "The kinds of problems"))


def test_no_message_is_explained_twice() -> None:
    every = [*rows("messages.md"), *rows("troubleshooting.md")]
    twice = [row for row, count in Counter(every).items() if count > 1]
    assert twice == []
