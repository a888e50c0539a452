"""The lowest runtime dependencies that pyproject.toml allows, compared with known advisories.

Works without network. It checks that each dependency has one lower bound and no other, and that no
advisory in advisories.toml holds for that release, unless it says why that does not matter. It
knows no advisory that is not in that file: to search the databases takes pip-audit and a network.

`--installed` compares what is installed beside this Python instead: `make lowest` tests with it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
ADVISORIES = Path(__file__).with_name("advisories.toml")


@dataclass(frozen=True, slots=True)
class Lowest:
    """The lowest release of a package; None where the requirement is not one `>=`."""

    package: str
    release: Version | None
    applies: bool


def lowest(requirements: Iterable[str]) -> Iterator[Lowest]:
    for line in requirements:
        requirement = Requirement(line)
        bounds = list(requirement.specifier)
        release = None
        if len(bounds) == 1 and bounds[0].operator == ">=":
            release = Version(bounds[0].version)
        applies = requirement.marker is None or requirement.marker.evaluate()
        yield Lowest(canonicalize_name(requirement.name), release, applies)


def faults(found: Iterable[Lowest], advisories: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for each dependency without a bound, or with an advisory that holds."""
    known = {each.package: each for each in found}
    for package, each in known.items():
        if each.release is None:
            yield f"{package}: give it one lower bound, {package}>=N"
    for advisory in advisories:
        name, fixed = canonicalize_name(advisory["package"]), advisory["fixed"]
        given = known.get(name)
        if given is None:
            yield f"{advisory['id']}: {name} is no dependency; remove it from {ADVISORIES.name}"
            continue
        holds = given.release is not None and given.release < Version(fixed)
        if holds and not advisory.get("ignored"):
            what = f"{advisory['id']} ({advisory['what']})"
            yield f"{name}>={given.release} has {what}: allow {fixed} and later"


def differences(found: Iterable[Lowest]) -> Iterator[str]:
    """A line for each that is installed in another release than the lowest."""
    for each in found:
        if each.applies and Version(version(each.package)) != each.release:
            yield f"{each.package} {version(each.package)} is installed, not {each.release}"


def main() -> int:
    project = tomllib.loads(PROJECT.read_text())["project"]
    found = list(lowest(project["dependencies"]))
    if "--installed" in sys.argv:
        wrong = list(differences(found))
    else:
        wrong = list(faults(found, tomllib.loads(ADVISORIES.read_text())["advisory"]))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
