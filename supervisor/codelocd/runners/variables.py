"""The environment variables of a runner: as if its environment were activated. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_OURS = frozenset(
    {
        "CODELOCD_MODULE",
        "CODELOCD_SOCKET",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONPYCACHEPREFIX",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "__PYVENV_LAUNCHER__",
    }
)
"""Variables that are meant for the daemon, or would pass its own Python's settings to another
one."""

_SERVICE = frozenset(
    {
        "CACHE_DIRECTORY",
        "CONFIGURATION_DIRECTORY",
        "CREDENTIALS_DIRECTORY",
        "FDSTORE",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "LOGS_DIRECTORY",
        "MAINPID",
        "MANAGERPID",
        "MANAGERPIDFDID",
        "NOTIFY_SOCKET",
        "PIDFILE",
        "RUNTIME_DIRECTORY",
        "STATE_DIRECTORY",
        "SYSTEMD_EXEC_PID",
        "SYSTEMD_NSS_DYNAMIC_BYPASS",
    }
)
_SERVICE_KINDS = ("LISTEN_", "MEMORY_PRESSURE_", "TRIGGER_", "WATCHDOG_")
"""What a service manager tells one service about itself (systemd.exec(5)): in the hands of another
process it names folders and secrets, or speaks for the service."""

_OF_USER = ("DBUS_", "MAIL", "SHELL", "SSH_", "SUDO_", "XAUTHORITY", "XDG_")

_FOREIGN = ("UV_", *_SERVICE_KINDS)

DEVELOPMENT = "DAGSTER_IS_DEV_CLI"
"""Set by `dagster dev` and `dg` (`dagster/_cli/dev.py`). Where it has a value, a project prepares
what it prepares in development only: dbt's manifest, the state of components."""


def inherited(environ: Mapping[str, str], *, development: bool) -> dict[str, str]:
    """What runners inherit of the daemon's variables; a mark set there stays, even an empty one."""
    return {**({DEVELOPMENT: "1"} if development else {}), **environ}


_OF_MACHINE = frozenset(
    {
        "HOME",
        "HOSTNAME",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "LOGNAME",
        "MAIL",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHELL",
        "SHLVL",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "USER",
        "_",
    }
)


def elsewhere(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of the daemon that make sense on another machine, which has its own for the
    rest: no folders of this one, and nothing that a service manager or a shell says of itself."""
    dropped = (*_FOREIGN, *_OF_USER, "RAY_")
    return {
        name: value
        for name, value in variables.items()
        if name not in _OURS | _SERVICE | _OF_MACHINE and not name.startswith(dropped)
    }


def of_user(variables: Mapping[str, str], name: str, home: str) -> dict[str, str]:
    """The same for another user: none of the folders that are the daemon's own user's."""
    others = {each: value for each, value in variables.items() if not each.startswith(_OF_USER)}
    return {**others, "HOME": home, "USER": name, "LOGNAME": name}


def of_runner(
    inherited: Mapping[str, str],
    configured: Mapping[str, str],
    executable: Path,
    activation: Mapping[str, str],
    bytecode: Mapping[str, str],
) -> dict[str, str]:
    """All variables of a runner.

    `activation` is what activating its environment sets besides PATH. `configured` wins
    over everything; its PATH, if any, is taken as it is.
    """
    variables = {
        name: value
        for name, value in inherited.items()
        if name not in _OURS and name not in _SERVICE and not name.startswith(_FOREIGN)
    }
    path = variables.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    variables["PATH"] = f"{executable.parent}:{path}"
    return {**variables, **activation, **bytecode, **configured}


def with_codeloc(variables: Mapping[str, str], children: Path) -> dict[str, str]:
    """The same for a command, which has no runner to make `codeloc` importable for it.

    `children`: the bundle's folder that does so in each Python that searches it first.
    """
    searched = [str(children), *filter(None, [variables.get("PYTHONPATH")])]
    if os.pathsep in str(children):
        return dict(variables)
    return {**variables, "PYTHONPATH": os.pathsep.join(searched)}


def bytecode(writable: bool, has_bytecode: bool, cache: Path) -> dict[str, str]:
    """Where a runner's bytecode goes: never into an environment that is not ours.

    An environment that brings its bytecode is read as it is; one without gets it in our cache.
    """
    if writable:
        return {}
    if has_bytecode:
        return {"PYTHONDONTWRITEBYTECODE": "1"}
    return {"PYTHONPYCACHEPREFIX": str(cache)}


def activated_environment(environ: Mapping[str, str]) -> Path | None:
    """The environment that the caller's shell has activated."""
    prefix = environ.get("VIRTUAL_ENV") or environ.get("CONDA_PREFIX")
    return Path(prefix) if prefix else None
