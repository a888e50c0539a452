"""Asking a Python what it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from codeloc_envs.interpreter import FileIdentity, Interpreter

TIMEOUT = 10.0
"""Seconds. A Python answers in 20 ms, from a network filesystem that wakes up in some seconds."""

# Runs on any Python since 3.0, and without `site`: no .pth file and no sitecustomize of the
# user's is executed, and with -B nothing is written.
_QUESTION = """
import _imp, json, os, sys
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": list(sys.version_info),
    "free_threaded": "t" in getattr(sys, "abiflags", ""),
    "abi": (_imp.extension_suffixes() or [""])[0],
    "machine": sys.platform + "-" + os.uname().machine,
}))
"""


def ask(executable: Path) -> Interpreter | None:
    """What `executable` says it is; None if it is no Python 3 that runs, or a shim.

    A shim (pyenv's scripts, mise's links to itself) is told by what it is, without running it.
    """
    try:
        identity = FileIdentity.of(executable)
        if not _may_be_python(Path(identity.realpath)):
            return None
        answer = subprocess.run(
            [executable, "-I", "-S", "-B", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=TIMEOUT,
            cwd="/",
            env={},
        )
        return _interpreter(executable, identity, answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def _may_be_python(real: Path) -> bool:
    if "py" not in real.name.lower():
        return False
    with real.open("rb") as file:
        return file.read(2) != b"#!"


def _interpreter(executable: Path, identity: FileIdentity, answer: bytes) -> Interpreter:
    said = json.loads(answer)
    return Interpreter.from_json(
        {**said, "executable": str(executable), "identity": identity.to_json()}
    )
