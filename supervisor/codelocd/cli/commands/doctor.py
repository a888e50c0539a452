"""`codelocd doctor`: look for problems of the machine and say what to do."""

from __future__ import annotations

import click

from codelocd.cli import output
from codelocd.cli.guard import ExitCode
from codelocd.cli.options import daemon_options, json_option
from codelocd.cli.which import Asked
from codelocd.core.findings import Finding, verdict
from codelocd.render.text import Screen, one_line, plural

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


@click.command("doctor")
@json_option
@daemon_options
@click.pass_obj
def doctor_command(asked: Asked, as_json: bool) -> int:
    """Look for what on this machine is in the way, and say what to do.

    Looks at the daemon, its config, sockets, folders and processes, at the limits of watches and
    open files, cgroups, the clock, Pythons, and the releases of Dagster in the environments. Works
    with and without a daemon, and changes nothing.

    Ends with 1 if something is in the way now; a warning (!) is no failure.

    \b
    codelocd doctor
    codelocd doctor --json | jq '.findings[] | select(.level != "ok")'
    """
    from codelocd.cli import doctor

    found = []
    for finding in doctor.examine(asked):
        found.append(finding)
        if not as_json:
            output.say(_lines(finding, output.stdout_screen()))
    well = verdict(found)
    if as_json:
        output.document({"ok": well, "findings": [each.as_json() for each in found]})
    else:
        counted = [sum(each.level == level for each in found) for level in ("problem", "warning")]
        output.say(f"{plural(counted[0], 'problem')}, {plural(counted[1], 'warning')}")
    return ExitCode.DONE if well else ExitCode.FAILED


def _lines(finding: Finding, screen: Screen) -> str:
    sign, style = SIGNS[finding.level]
    first = f"{screen.paint(sign, style)} {finding.area}: {one_line(finding.what)}"
    return f"{first}\n  {one_line(finding.then)}" if finding.then else first
