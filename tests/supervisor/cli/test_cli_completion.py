"""What real shells complete at TAB, with a daemon and without."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commands import CODELOCD, DEADLINE
from tests.supervisor.cli.fake_control import LOCATION, FakeDaemon, Shell, status_document
from tests.supervisor.runs.run_documents import run

STRANGE = "my code.py:defs, 'all'"
"""A name as Dagster makes them: with what shells give a meaning to."""
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(codelocd completions bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -U compinit && compinit -u -D && eval "$(codelocd completions zsh)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "codelocd completions fish | source"),
}
INSTALLED = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        ". /usr/share/bash-completion/bash_completion",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "fpath=(~/.local/share/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D",
    ),
    "fish": (["fish", "-i"], "true"),
}
"""The shells once `completions --install` has written its file."""
CASES = {
    "codelocd relo": ["codelocd", "reload"],
    "codelocd config val": ["codelocd", "config", "validate"],
    "codelocd status --wat": ["codelocd", "status", "--watch"],
    "codelocd restart sal": ["codelocd", "restart", "sales"],
    "codelocd --user status --js": ["codelocd", "--user", "status", "--json"],
    "codelocd show sales/mart/o": ["codelocd", "show", "sales/mart/orders"],
    "codelocd show --kind job sales/re": ["codelocd", "show", "--kind", "job", "sales/refresh"],
    "codelocd run sales/mart/o": ["codelocd", "run", "sales/mart/orders"],
    "codelocd run sales/ref": ["codelocd", "run", "sales/refresh"],
    "codelocd runs can": ["codelocd", "runs", "cancel"],
    "codelocd runs show 17": ["codelocd", "runs", "show", "170"],
    "codelocd runs --bef": ["codelocd", "runs", "--before"],
    "codelocd runs --state fai": ["codelocd", "runs", "--state", "failed"],
    "codelocd runs --location sal": ["codelocd", "runs", "--location", "sales"],
    "codelocd call sales des": ["codelocd", "call", "sales", "describe"],
    "codelocd call sales sto": ["codelocd", "call", "sales", "sto"],
    "codelocd exec sales pyt": ["codelocd", "exec", "sales", "pytest"],
    "codelocd logs m": ["codelocd", "logs", STRANGE],
    "codelocd config validate conf": ["codelocd", "config", "validate", "config.toml"],
    "codelocd completions f": ["codelocd", "completions", "fish"],
}


SHELLS_OWN = {
    typed: CASES[typed]
    for typed in (
        "codelocd config val",
        "codelocd status --wat",
        "codelocd show sales/mart/o",
        "codelocd logs m",
        "codelocd config validate conf",
    )
}
"""What each shell has its own way for; of the others it is told words, as of the first of these."""


@dataclass
class Terminal:
    """An interactive shell that has evaluated our script."""

    pid: int
    file: int

    def type(self, text: str) -> None:
        os.write(self.file, text.encode())

    def read_until(self, text: str) -> str:
        read, deadline = "", time.monotonic() + DEADLINE
        while text not in read:
            assert time.monotonic() < deadline, read
            read += os.read(self.file, 4096).decode(errors="replace")
        return read

    def completed(self, typed: str) -> list[str]:
        """The words that stand in the line after TAB, as the shell would pass them on."""
        before_the_line, behind_it = "\x01", "\x05"
        self.type(f"{typed}\t{before_the_line}printf '<%s>' {behind_it} E''ND\r")
        printed = self.read_until("<END>").rpartition("\n")[2]
        return printed[printed.index("<codelocd>") + 1 : -1].split("><")[:-1]


def started(name: str, shell: Shell, how: Mapping[str, Any] = START) -> Terminal:
    command, evaluate = how[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{name} is not installed: its completion cannot be tried")
    path = os.pathsep.join((str(CODELOCD.parent), os.environ["PATH"]))
    pid, file = pty.fork()
    if pid == 0:
        os.chdir(shell.folder)
        os.execvpe(command[0], command, {**shell.environ, "PATH": path, "TERM": "dumb"})
    terminal = Terminal(pid, file)
    terminal.type(f"{evaluate}; printf '<%s>' RE''ADY\r")
    terminal.read_until("<READY>")
    return terminal


@pytest.fixture
def answering(project: Shell, daemon: FakeDaemon, tmp_path: Path) -> FakeDaemon:
    programs = tmp_path / "environment" / "bin"
    programs.mkdir(parents=True)
    (programs / "pytest").touch()
    (project.folder / "config.toml").touch()
    listed = [("asset", "mart/orders"), ("job", "refresh"), ("asset", "revenue")]

    def definitions(parameters: Mapping[str, Any]) -> dict[str, Any]:
        wanted = parameters.get("kind")
        return {
            "definitions": [
                {"location": "sales", "kind": kind, "name": name}
                for kind, name in listed
                if wanted in (None, kind)
            ]
        }

    methods = ["hello", "ping", "snapshot", "describe", "stacks", "stop"]
    daemon.answers |= {
        "status": lambda _: status_document(LOCATION, {**LOCATION, "name": STRANGE}),
        "definitions": definitions,
        "call": lambda _: {"generation": 1, "result": {"methods": methods}},
        "runs": lambda _: {"runs": [run(id=170), run(id=18), run(id=19)], "more": False},
        "command": lambda _: {"environment": {"PATH": f"{programs}:/usr/bin"}},
    }
    return daemon


@pytest.fixture(params=START)
def terminal(
    request: pytest.FixtureRequest, project: Shell, answering: FakeDaemon
) -> Iterator[Terminal]:
    terminal = started(request.param, project)
    yield terminal
    os.close(terminal.file)
    os.kill(terminal.pid, signal.SIGKILL)
    os.waitpid(terminal.pid, 0)


def offered(shell: Shell, typed: str) -> list[str]:
    """What the script of bash is told, one line for each word that could be meant."""
    asking = {"_CODELOCD_COMPLETE": "bash_complete", "CODELOCD_TYPED": typed}
    done = shell.run(environ={**asking, "CODELOCD_BREAKS": " :="})
    assert done.stderr == ""
    return [line.removeprefix("plain,") for line in done.stdout.splitlines() if line]


def test_a_shell_completes_commands_options_files_and_what_the_daemon_knows(
    terminal: Terminal,
) -> None:
    assert {typed: terminal.completed(typed) for typed in SHELLS_OWN} == SHELLS_OWN


@pytest.mark.parametrize(
    "terminal",
    ["bash", *(pytest.param(name, marks=pytest.mark.slow) for name in ("zsh", "fish"))],
    indirect=True,
)
def test_a_shell_completes_whatever_a_command_takes(terminal: Terminal) -> None:
    left = {typed: words for typed, words in CASES.items() if typed not in SHELLS_OWN}
    assert {typed: terminal.completed(typed) for typed in left} == left


@pytest.mark.parametrize("name", INSTALLED)
def test_a_script_that_was_installed_is_found_by_the_shell_itself(
    name: str, project: Shell, answering: FakeDaemon
) -> None:
    sourced = INSTALLED["bash"][1].split()[1]
    if name == "bash" and not Path(sourced).exists():
        pytest.skip("the package bash-completion is not installed")
    done = project.run("completions", name, "--install")
    assert done.stdout.startswith(f"wrote {project.environ['HOME']}/."), done.stderr
    terminal = started(name, project, INSTALLED)
    try:
        assert terminal.completed("codelocd restart sal") == ["codelocd", "restart", "sales"]
    finally:
        os.close(terminal.file)
        os.kill(terminal.pid, signal.SIGKILL)
        os.waitpid(terminal.pid, 0)


def test_names_in_a_location_are_offered_as_soon_as_only_one_location_is_meant(
    project: Shell, answering: FakeDaemon
) -> None:
    assert offered(project, "codelocd show ") == ["sales", r"my\ code.py:defs,\ \'all\'"]
    inside = ["sales/mart/orders", "sales/refresh", "sales/revenue"]
    assert offered(project, "codelocd show sal") == ["sales", *inside]
    assert offered(project, "codelocd show sales/") == inside
    assert offered(project, "codelocd show sales/re") == inside[1:]


def test_what_can_be_run_is_offered_without_the_location_where_there_is_only_one(
    project: Shell, answering: FakeDaemon
) -> None:
    assert offered(project, "codelocd run ") == ["sales/", r"my\ code.py:defs,\ \'all\'/"]
    inside = ["sales/mart/orders", "sales/refresh", "sales/revenue"]
    assert offered(project, "codelocd run sal") == inside
    answering.answers["status"] = lambda _: status_document(LOCATION)
    assert offered(project, "codelocd run ") == ["mart/orders", "refresh", "revenue", *inside]
    assert offered(project, "codelocd run ref") == ["refresh"]


def test_runs_are_offered_those_alone_that_can_be_cancelled(
    project: Shell, answering: FakeDaemon
) -> None:
    assert offered(project, "codelocd runs logs ") == ["170", "18", "19"]
    assert offered(project, "codelocd runs cancel 18 1") == ["170", "19"]
    states = ["queued", "starting", "running"]
    assert answering.asked[-1] == ("runs", {"limit": 100, "states": states})


def test_an_environment_is_offered_by_location_and_by_a_key_that_has_been_begun(
    project: Shell, answering: FakeDaemon
) -> None:
    assert "sales" in offered(project, "codelocd env show ")
    assert offered(project, "codelocd env diff sales 01") == ["0123456789abcdef"]


def test_a_name_in_quotes_or_behind_a_colon_is_offered_as_bash_inserts_it(
    project: Shell, answering: FakeDaemon
) -> None:
    assert offered(project, 'codelocd logs "my c') == [STRANGE.partition(":")[0] + ":defs, 'all'"]
    assert offered(project, r"codelocd logs my\ code.py:d") == [r"defs,\ \'all\'"]


@pytest.mark.parametrize(
    "typed",
    [
        "show ",
        "show sales/",
        "run ",
        "runs show ",
        "restart ",
        "call sales ",
        "exec sales ",
        "env show 0",
        "call '",
    ],
)
def test_without_a_daemon_nothing_is_offered_and_nothing_is_said(
    project: Shell, typed: str
) -> None:
    assert offered(project, f"codelocd {typed}") == []


def test_a_daemon_that_answers_in_errors_makes_completion_silent(
    project: Shell, daemon: FakeDaemon
) -> None:
    daemon.answers["status"] = lambda _: ValueError("broken")
    assert offered(project, "codelocd restart s") == []


def test_a_shell_that_is_not_known_is_a_mistake_that_names_those_that_are(shell: Shell) -> None:
    done = shell.run("completions", "tcsh")
    assert done.returncode == 2
    for name in START:
        assert name in done.stderr
