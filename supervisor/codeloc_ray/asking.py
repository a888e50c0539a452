"""What this machine's part of a cluster is: `python asking.py ADDRESS`. The standard library alone.

A process that speaks to a cluster needs the cluster's own Python and Ray, and so does the machine
that it speaks from: Ray's raylet runs there, and is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

ASKED = (
    "import json,sys,importlib.metadata as its;"
    "print(json.dumps([its.version('ray'),sys.version.split()[0]]))"
)
"""Ray itself is not imported for that: it takes seconds."""
SECONDS = 20.0


def command_lines() -> list[tuple[int, list[str]]]:
    """Of every process that may be looked at."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().decode(errors="surrogateescape").split("\0")
            except OSError:
                continue
            found.append((int(name), words))
    return found


def raylet_of(address: str, lines: list[tuple[int, list[str]]]) -> tuple[int, list[str]] | None:
    """The raylet that belongs to the cluster at this address."""
    for pid, words in lines:
        if os.path.basename(words[0]) == "raylet" and f"--gcs-address={address}" in words:
            return pid, words
    return None


def executable_of(words: list[str]) -> str | None:
    """The Python of a raylet's workers: the one that Ray is installed for."""
    for word in words:
        if word.startswith("--python_worker_command="):
            for part in word.partition("=")[2].split():
                if os.path.basename(part).startswith("python") and os.path.isabs(part):
                    return part
    return None


def own_raylet(address: str) -> tuple[int, list[str]] | None:
    """The raylet of that cluster on this machine."""
    return raylet_of(address, [each for each in command_lines() if shares_network(each[0])])


def node_address(words: list[str]) -> str | None:
    """The address under which the cluster knows the machine of a raylet."""
    for word in words:
        if word.startswith("--node_ip_address="):
            return word.partition("=")[2]
    return None


def shares_network(pid: int) -> bool:
    """Whether that process sees the network that this one sees: a container may have another."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return True


def answer(address: str) -> dict[str, str]:
    """What is printed."""
    raylet = own_raylet(address)
    if raylet is None:
        what = f"no Ray of the cluster at {address} runs on this machine"
        remedy = f"run: ray start --address={address} --num-cpus=0"
        return {"problem": f"{what}; {remedy}", "what": "unreachable"}
    python = executable_of(raylet[1])
    if python is None:
        return {"problem": f"process {raylet[0]}, Ray's, names no Python", "what": "version"}
    try:
        said = subprocess.run(
            [python, "-c", ASKED], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:  # a container's has another root
        return {"problem": f"Ray's own Python cannot be asked: {failure}", "what": "version"}
    if said.returncode:
        last = said.stderr.strip().rpartition("\n")[2]
        return {"problem": f"{python} does not say which Ray it has: {last}", "what": "version"}
    version, own = json.loads(said.stdout)
    return {"version": version, "python": own, "executable": python}


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1])))
