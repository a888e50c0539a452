"""The line that adds a missing package to a location's environment. Pure."""

from __future__ import annotations

from codeloc_envs import Specification

DISTRIBUTIONS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "jwt": "pyjwt",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Packages on PyPI whose modules have another name, those that are asked for most."""


def distribution(module: str) -> str:
    """What to ask an index for, so that a top-level module can be imported."""
    return DISTRIBUTIONS.get(module, module.replace("_", "-"))


def remedy(module: str, environment: Specification, location: str) -> str:
    """What to write, and where, so that `module` can be imported by `location`."""
    return _REMEDIES[environment.kind](distribution(module), environment, location)


def _packages(name: str, environment: Specification, location: str) -> str:
    if environment.request.requirements:
        return f"add the line {name} to {environment.request.requirements[0]}"
    packages = ", ".join(f'"{each}"' for each in (*environment.request.packages, name))
    return f"add to [location.{location}.environment]: packages = [{packages}]"


def _project(name: str, environment: Specification, _location: str) -> str:
    folder = environment.request.project or environment.directory
    return f'add "{name}" to dependencies in {folder / "pyproject.toml"}'


def _script(name: str, environment: Specification, _location: str) -> str:
    return f'add "{name}" to the dependencies at the top of {environment.script}'


def _uv_lock(name: str, environment: Specification, _location: str) -> str:
    return f"run: uv add --project {environment.directory} {name}"


def _pylock(name: str, environment: Specification, _location: str) -> str:
    return f"add {name} to what {environment.request.lock} is made from, and lock again"


def _existing(name: str, environment: Specification, _location: str) -> str:
    return f"install {name} into {environment.request.path}, which is used as it is"


_REMEDIES = {
    "packages": _packages,
    "project": _project,
    "script": _script,
    "uv.lock": _uv_lock,
    "pylock.toml": _pylock,
    "existing": _existing,
}
