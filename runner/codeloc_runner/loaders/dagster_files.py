"""Finds the files other than Python that Dagster's libraries read while a location loads: a change
of them counts.

A dbt project is parsed by a process of its own, so that nothing in ours shows which files it read.
"""

from __future__ import annotations

import contextlib
import os
import sys

from .dagster_facts import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, List

DBT = ("dagster_dbt.dbt_project", "DbtProject")
DBT_COMPONENT = ("dagster_dbt.dbt_project_manager", "DbtProjectArgsManager")
"""Makes a copy of the project that its arguments name, and loads that."""
LOCK = ".concurrent-update-lock"
"""The end of the names of files that dagster-dbt locks while it prepares a project."""
COPIES = ".local_defs_state"
"""The folder of what components have made themselves."""
COMPONENTS = ("dagster.components.core.component_tree", "ComponentTree")
DBT_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml", "selectors.yml")
DBT_FOLDERS = {
    "model-paths": ["models"],
    "seed-paths": ["seeds"],
    "test-paths": ["tests"],
    "macro-paths": ["macros"],
    "snapshot-paths": ["snapshots"],
    "analysis-paths": ["analyses"],
    "docs-paths": [],
}
"""Keys of dbt_project.yml, and what they are where it does not say."""


def globs(since: float) -> List[str]:
    """Absolute globs of those files; `since`: when the load began, in Unix seconds."""
    found: List[str] = []
    for project in (*living(*DBT), *(fact(one, "args") for one in living(*DBT_COMPONENT))):
        with contextlib.suppress(Exception):  # another version's, or half made
            found += of_dbt(project, since)
    for tree in living(*COMPONENTS):
        folder = fact(tree, "defs_module_path")
        found += [f"{literal(folder)}/**/*.{end}" for end in ("yaml", "yml")] if folder else []
    return sorted(set(found))


def living(module: str, name: str) -> List[Any]:
    """The objects of a class, those of code that failed included; [] where it is not imported."""
    kind = getattr(sys.modules.get(module), name, None)
    if kind is None:
        return []
    import gc

    return [one for one in gc.get_objects() if type(one) is kind]


def of_dbt(project: Any, since: float) -> Iterator[str]:
    """Of a project whose manifest the load has made, its sources; else the manifest itself."""
    folder = os.path.abspath(project.project_dir)
    if COPIES in folder.split(os.sep):
        return
    made = os.path.join(folder, fact(project, "target_path") or "target", "manifest.json")
    manifest = fact(project, "manifest_path") or made
    for name in DBT_FILES:
        yield f"{literal(folder)}/{name}"
    yield f"{literal(fact(project, 'profiles_dir') or folder)}/profiles.yml"
    if not is_made(manifest, folder, since):
        yield literal(manifest)
        return
    told = settings(os.path.join(folder, DBT_FILES[0]))
    for key, usual in DBT_FOLDERS.items():
        for path in told.get(key) or usual:
            yield f"{literal(os.path.join(folder, str(path)))}/**"


TICK = 0.02
"""Seconds by which a file that is written after a moment may seem to be older: Linux stamps files
by a clock that goes in steps of up to 10 ms."""


def is_made(manifest: Any, project: str, since: float) -> bool:
    """Whether the load makes it (`prepare_if_dev`): then it is no source, but a result.

    A parse that fails leaves an older manifest, and beside it its log, or only the lock that
    dagster-dbt takes first. Were that manifest watched, the load after the repair would write it,
    count as changed, and begin again.
    """
    folder = os.path.dirname(os.fspath(manifest))
    if not os.path.exists(manifest):
        return True  # what should have written it has failed
    locks = (os.path.join(folder, "manifest" + LOCK), os.path.join(project, "package-lock" + LOCK))
    made = (manifest, os.path.join(folder, "dbt.log"), *locks)
    return any(written(file) >= since - TICK for file in made)


def written(file: Any) -> float:
    """When, in Unix seconds; 0 where there is no such file."""
    try:
        return os.stat(file).st_mtime
    except OSError:
        return 0.0


def settings(file: str) -> Any:
    try:
        import yaml  # which Dagster needs

        with open(file, encoding="utf-8") as stream:
            found = yaml.safe_load(stream)
    except Exception:  # noqa: BLE001  dbt itself will say what is wrong with it
        return {}
    return found if isinstance(found, dict) else {}


def literal(path: Any) -> str:
    """A path as a glob that means just this path."""
    whole = os.path.abspath(os.fspath(path))
    return "".join(f"[{one}]" if one in "*?[" else one for one in whole)
