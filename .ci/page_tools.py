"""Installs what checks the page under Node, and has the types of its modules checked by it.

The tests use axe-core, which comes with it. Nothing of it is needed to install or to build
codelocd: where Node is missing, this says so and passes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE, TOOLS = ROOT / "ui", ROOT / ".cache" / "node"
LISTS = ("package.json", "package-lock.json")


def main() -> int:
    reason = missing()
    if reason is not None:
        print(f"the page's modules are not checked: {reason}")
        return 0
    if "--install" in sys.argv:
        return 0
    tsc = TOOLS / "node_modules" / "typescript" / "bin" / "tsc"
    return subprocess.run(["node", tsc, "--project", SOURCE], check=False).returncode


def missing() -> str | None:
    """Install what the lock file lists, once; what stands in the way of it, if anything does."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no Node on this machine"
    stamp = TOOLS / "node_modules" / ".package-lock.json"
    lock = (SOURCE / LISTS[1]).read_bytes()
    if stamp.exists() and (TOOLS / LISTS[1]).read_bytes() == lock:
        return None
    TOOLS.mkdir(parents=True, exist_ok=True)
    for name in LISTS:
        shutil.copy(SOURCE / name, TOOLS / name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    done = subprocess.run(
        ["npm", "ci", *options], cwd=TOOLS, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    (TOOLS / LISTS[1]).unlink()
    said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
    return f"npm could not install its tools ({said[0]})"


if __name__ == "__main__":
    sys.exit(main())
