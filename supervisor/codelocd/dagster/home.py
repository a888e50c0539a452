"""DAGSTER_HOME: the folder of Dagster's instance, shared by its page, its daemon and all runs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "DAGSTER_HOME"
CONFIG = "dagster.yaml"


def dagster_home(environ: Mapping[str, str], state_dir: Path, project: Path) -> Path:
    """As the user set it, else a folder of ours that has the project's dagster.yaml.

    Raises OSError. The instance's config beside the code counts without DAGSTER_HOME, and only
    then, as under `dagster dev` (`InstanceRef.from_dir`).
    """
    given = environ.get(VARIABLE)
    home = Path(given).expanduser() if given else state_dir / "dagster"
    with contextlib.suppress(FileExistsError):
        home.mkdir(parents=True)
    if not given:
        _link(home / CONFIG, project / CONFIG)
    return home


def _link(link: Path, config: Path) -> None:
    """Follow the project's config; one that somebody wrote into our folder stays.

    Without any there is an empty one: Dagster's processes each warn where there is none.
    """
    ours = link.is_symlink() or (link.exists() and not link.stat().st_size)
    if ours:
        link.unlink()
    if config.is_file() and not link.exists():
        link.symlink_to(config)
    elif not link.exists():
        link.touch()
