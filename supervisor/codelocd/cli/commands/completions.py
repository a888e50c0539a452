"""Shell completion: `codelocd completions`, and the names that a shell offers at TAB."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import (
    CompletionItem,
    FishComplete,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
    split_arg_string,
)

from codeloc_envs.files import replace_text
from codelocd.cli import output
from codelocd.cli.connection import ask
from codelocd.cli.exit_codes import ExitCode, Failure
from codelocd.cli.quick import COMPLETION
from codelocd.cli.which import Asked

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus

SHELLS = ("bash", "zsh", "fish")

TIMEOUT = 1.0
"""Seconds that a shell's TAB waits for the daemon."""

NOT_CALLED = "stop"
"""A method of runners that is the daemon's alone."""

CURSOR = "\x00"
"""Marks the end of what was typed, so that a space before it counts."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it where the shell looks for it, for you.")
def completions_command(shell: str, install: bool) -> None:
    """Print the script with which a shell completes codelocd at TAB.

    Commands, options and files; and from the daemon that a command would speak to: locations,
    LOCATION/NAME for `show` and `run`, runs, methods for `call`, programs for `exec`.

    \b
    eval "$(codelocd completions bash)"         in ~/.bashrc (bash 4.4 or newer)
    eval "$(codelocd completions zsh)"          in ~/.zshrc, after compinit
    codelocd completions fish | source          in ~/.config/fish/config.fish
    codelocd completions fish --install         into ~/.config/fish/completions, once and for all
    """
    if not install:
        output.say(script(shell).rstrip())
        return
    path = user_file(shell, os.environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, script(shell))
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}; evaluate the script") from None
    output.say(f"wrote {path}; {LOADED[shell].format(folder=path.parent)}")


LOADED = {
    "bash": "the package bash-completion loads it in new shells",
    "zsh": "put fpath=({folder} $fpath) into ~/.zshrc, before compinit",
    "fish": "new shells load it",
}
"""What is left to do for the file that was written."""


def user_file(shell: str, environ: Mapping[str, str]) -> Path:
    """Where a shell looks for a user's own completion of codelocd (for zsh: may be told to)."""
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if shell == "bash":
        own = environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion"
        return Path(own, "completions", "codelocd")
    if shell == "zsh":
        return data / "zsh" / "site-functions" / "_codelocd"
    return settings / "fish" / "completions" / "codelocd.fish"


# --- what there is ---------------------------------------------------------------------------


def locations(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Names of locations; none where no daemon answers."""
    return _starting(typed, (each["name"] for each in _status(context)))


def definitions(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Names of locations, and `LOCATION/NAME` as soon as only one location can be meant."""
    named, slash, _ = typed.partition("/")
    found = [named] if slash else locations(context, parameter, typed)
    if len(found) != 1:
        return found
    kind = context.params.get("kind")
    parameters = {"locations": found, **({"kind": kind} if kind else {})}
    listed = _asked(context, "definitions", parameters) or {"definitions": []}
    inside = (f"{each['location']}/{each['name']}" for each in listed["definitions"])
    return [*([] if slash else found), *_starting(typed, sorted(set(inside)))]


def runnable(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """`LOCATION/NAME` of jobs and assets, as soon as only one location can be meant; of the only
    one that there is, their names alone."""
    known = [each["name"] for each in _status(context)]
    named, slash, _ = typed.partition("/")
    inside = [each for each in known if each.startswith(named)] if not slash else [named]
    if len(known) == 1:
        inside = known
    if len(inside) != 1:
        return _starting(typed, (f"{each}/" for each in inside))
    found = _asked(context, "definitions", {"locations": inside}) or {"definitions": []}
    kinds = [each for each in found["definitions"] if each["kind"] in ("job", "asset")]
    names = sorted({each["name"] for each in kinds if not each.get("external")})
    short = names if len(known) == 1 else []
    return _starting(typed, [*short, *(f"{inside[0]}/{name}" for name in names)])


def runs(
    context: click.Context, _parameter: click.Parameter, typed: str, states: Iterable[str] = ()
) -> list[Any]:
    """Numbers of runs that are not named yet, the newest first, with what they run."""
    from codelocd.render.runs import what  # few commands have completions of runs

    named = {str(each) for each in context.params.get("numbers") or ()}
    wanted = {"states": list(states)} if states else {}
    answer = _asked(context, "runs", {"limit": 100, **wanted}) or {"runs": []}
    return [
        CompletionItem(str(each["id"]), help=f"{what(each)} {each['state']}")
        for each in answer["runs"]
        if str(each["id"]).startswith(typed) and str(each["id"]) not in named
    ]


def unfinished(context: click.Context, parameter: click.Parameter, typed: str) -> list[Any]:
    """Those that can be cancelled."""
    return runs(context, parameter, typed, ("queued", "starting", "running"))


def methods(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Methods of the runner that serves the location named before."""
    request = {"location": context.params["location"], "method": "hello"}
    answer = _asked(context, "call", request) or {"result": {"methods": []}}
    return _starting(typed, (name for name in answer["result"]["methods"] if name != NOT_CALLED))


def environments(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """Names of locations, and keys of environments where one has been begun."""
    keys = (each["environment"]["key"] for each in _status(context) if each["environment"])
    begun = _starting(typed, sorted({key for key in keys if key})) if typed else []
    return [*locations(context, parameter, typed), *begun]


def releases(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """The beginnings of the IDs of the releases of the location named before."""
    answer = _asked(context, "releases", {"locations": [context.params.get("location")]})
    known = answer["locations"][0]["releases"] if answer else []
    return _starting(typed, (each["id"][:12] for each in known))


def programs(context: click.Context, _parameter: click.Parameter, typed: str) -> list[Any]:
    """Programs of the location's environment; for the words after the first, files."""
    if context.params.get("words"):
        return [CompletionItem(typed, type="file")]
    answer = _asked(context, "command", {"location": context.params["location"]})
    folder = answer["environment"].get("PATH", "").partition(os.pathsep)[0] if answer else ""
    return _starting(typed, sorted(os.listdir(folder))) if os.path.isdir(folder) else []


def _status(context: click.Context) -> list[LocationStatus]:
    answer = _asked(context, "status", {})
    return list(answer["locations"]) if answer else []


def _asked(context: click.Context, method: str, parameters: dict[str, Any]) -> Any:
    """The daemon's answer; None for whatever goes wrong."""
    try:
        return ask(context.find_object(Asked) or Asked(), method, parameters, timeout=TIMEOUT)
    except Exception:  # noqa: BLE001 a shell must not be told why there is nothing to offer
        return None


def _starting(typed: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(typed)]


# --- how a shell asks ------------------------------------------------------------------------


def script(shell: str) -> str:
    """The text that a shell evaluates to complete `codelocd`."""
    asking = get_completion_class(shell)
    assert asking is not None
    return asking(click.Command("codelocd"), {}, "codelocd", COMPLETION).source()


def answer(app: click.Command, instruction: str) -> int:
    """Print what could be typed next; the exit code. Says nothing about what goes wrong."""
    try:
        return shell_complete(app, {}, "codelocd", COMPLETION, instruction)
    except Exception:  # noqa: BLE001 it would be printed into the line that the user types
        return ExitCode.FAILED


BASH = """\
%(complete_func)s() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(CODELOCD_TYPED="${COMP_LINE:0:$COMP_POINT}" CODELOCD_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Bash(ShellComplete):
    """click's own loses names with a colon, a space or a quote.

    Bash ends words at each of COMP_WORDBREAKS and replaces only what follows the last of them; and
    it inserts what it is given without quoting it.
    """

    name = "bash"
    source_template = BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        self._typed = os.environ.get("CODELOCD_TYPED", "")
        words = split_arg_string(self._typed + CURSOR)
        return words[1:-1], words[-1].removesuffix(CURSOR) if words else ""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        self._cut = _after_last_break(incomplete, os.environ.get("CODELOCD_BREAKS", ""))
        return super().get_completions(args, incomplete)

    def format_completion(self, item: CompletionItem[str]) -> str:
        value = item.value[self._cut :] if item.type == "plain" else item.value
        return f"{item.type},{value if _in_quotes(self._typed) else _quoted(value)}"


@add_completion_class
class Fish(FishComplete):
    """click's own cuts names at a comma."""

    source_template = FishComplete.source_template.replace('split ","', 'split -m 1 ","')


def _after_last_break(typed: str, breaks: str) -> int:
    """Where the part of a word begins that bash replaces; `=` is click's own affair."""
    return typed.rfind(":") + 1 if ":" in breaks else 0


def _in_quotes(line: str) -> bool:
    try:
        shlex.split(line)
    except ValueError:
        return not line.endswith("\\")
    return False


def _quoted(text: str) -> str:
    return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", text)
