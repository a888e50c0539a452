"""When something was last installed in an environment, or removed from it."""

from __future__ import annotations

from pathlib import Path


def installed(executable: Path) -> int:
    """Nanoseconds, by the clock of its file system; 0 where no folder for packages is found."""
    packages = executable.parent.parent.glob("lib*/python3*/site-packages")
    return max((folder.stat().st_mtime_ns for folder in packages), default=0)
