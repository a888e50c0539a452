"""`codelocd completions`: print the completion script of a shell."""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.cli.completion import SHELLS, script


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completions_command(shell: str) -> None:
    """Print the script with which a shell completes codelocd at TAB.

    Commands, options and files; and from the daemon that a command would speak to: locations,
    LOCATION/NAME for `show`, methods for `call`, programs for `exec`.

    \b
    eval "$(codelocd completions bash)"         in ~/.bashrc (bash 4.4 or newer)
    eval "$(codelocd completions zsh)"          in ~/.zshrc, after compinit
    codelocd completions fish | source          in ~/.config/fish/config.fish
    """
    output.say(script(shell).rstrip())
