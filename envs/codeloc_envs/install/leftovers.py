"""Removes what a build leaves in a project's own folder.

setuptools writes `*.egg-info` and `build` beside the sources, with every installer. What is to be
put back is written down before the build begins, for the case that it is killed.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from codeloc_envs.files import mapping, of_type, read_record, texts, write_json
from codeloc_envs.fingerprint import digest_bytes
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project.pyproject import read_project
from codeloc_envs.store.layout import Layout
from codeloc_envs.store.lease import hold, try_hold

_SUFFIX = ".egg-info"
_DEPTH = 3
"""So many folders below the project, as `src`, a package writes its metadata."""
_NEVER = frozenset({"node_modules", "venv", "site-packages", "__pycache__"})
_KEPT = "__editable__"
"""What an editable installation in setuptools' strict mode needs, begins so in `build`."""


@contextlib.contextmanager
def nothing_left(
    layout: Layout, projects: Iterable[Path], waiting: Callable[[], None]
) -> Iterator[None]:
    """Builds of `projects` leave nothing in them; two builds of one project wait for each other.

    Files that were there before are as before. What an installed package needs stays: extension
    modules beside the sources, and the `build` folder of other backends than setuptools.
    """
    with contextlib.ExitStack() as stack:
        for folder in sorted({project for project in projects if project.is_dir()}):
            stack.enter_context(hold(_lock(layout, folder), waiting))
            record = _record(layout, folder)
            _put_back(record)
            write_json(record, {"folder": str(folder), **_present(folder)})
            stack.callback(_put_back, record)
        yield


def sweep_leftovers(layout: Layout) -> None:
    """Do what builders that were killed could not do any more."""
    for record in layout.leftovers.glob("*.json"):
        lease = try_hold(layout.lock(record.stem))
        if lease is not None:
            with lease:
                _put_back(record)


def _lock(layout: Layout, folder: Path) -> Path:
    return layout.lock(_record(layout, folder).stem)


def _record(layout: Layout, folder: Path) -> Path:
    return layout.leftovers / f"project-{digest_bytes(bytes(folder))[:16]}.json"


def _present(folder: Path) -> dict[str, object]:
    """The names that were there, and what stands in the files that a build would write anew."""
    metadata = [*_metadata(folder)]
    files = [file for each in metadata for file in each.rglob("*") if file.is_file()]
    return {
        "metadata": [str(each) for each in metadata],
        "build": _built(folder),
        "files": {str(file): _encoded(file) for file in files},
    }


def _metadata(folder: Path) -> Iterator[Path]:
    """The `*.egg-info` of the project."""
    for root, folders, _ in os.walk(folder):
        here = Path(root)
        yield from (here / name for name in folders if name.endswith(_SUFFIX))
        deep = len(here.relative_to(folder).parts) >= _DEPTH
        folders[:] = [] if deep else [name for name in folders if _enters(here / name)]


def _enters(folder: Path) -> bool:
    name = folder.name
    aside = name.startswith(".") or name in _NEVER or name.endswith(_SUFFIX)
    return not aside and not (folder / "pyvenv.cfg").exists()


def _built(folder: Path) -> list[str] | None:
    """What is in `build`; None if there is no such folder."""
    try:
        return sorted(os.listdir(folder / "build"))
    except OSError:
        return None


def _put_back(record: Path) -> None:
    """An error here must not hide what the build says; the record is left then."""
    noted = read_record(record, _noted)
    if noted is None:
        return
    with contextlib.suppress(OSError):
        _restore(Path(noted["folder"]), noted)
        record.unlink(missing_ok=True)


def _noted(data: Any) -> dict[str, Any]:
    """Raises what read_record expects of another shape."""
    of_type(data["folder"], str)
    texts(data["metadata"])
    for file, before in mapping(data["files"]).items():
        of_type(file, str)
        of_type(before, (str, type(None)))
    if data["build"] is not None:
        texts(data["build"])
    return mapping(data)


def _restore(folder: Path, noted: dict[str, object]) -> None:
    metadata, files, built = noted["metadata"], noted["files"], noted["build"]
    assert isinstance(metadata, list)
    assert isinstance(files, dict)
    for each in [*_metadata(folder)]:
        if str(each) not in metadata:
            shutil.rmtree(each)
            continue
        for file in (path for path in each.rglob("*") if path.is_file()):
            _restore_file(file, files.get(str(file)))
    if _is_of_setuptools(folder):
        _empty_build(folder / "build", built if isinstance(built, list) else None)


def _restore_file(file: Path, before: str | None) -> None:
    if before is None:
        file.unlink()
    elif _encoded(file) != before:
        file.write_bytes(base64.b64decode(before))


def _empty_build(build: Path, before: list[str] | None) -> None:
    """Take away what came into it, and itself if it came too."""
    if not build.is_dir():
        return
    names = os.listdir(build)
    for name in names:
        if name not in (before or ()) and not name.startswith(_KEPT):
            path = build / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if before is None and not os.listdir(build):
        build.rmdir()


def _is_of_setuptools(folder: Path) -> bool:
    try:
        system = read_project(folder).data.get("build-system", {})
    except EnvironmentProblem:
        return False
    return str(system.get("build-backend", "setuptools")).startswith("setuptools")


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
