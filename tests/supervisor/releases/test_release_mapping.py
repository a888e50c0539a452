"""What a location's description becomes in a release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codeloc_envs import Request
from codelocd.model import LocationSpec, Policy, Target
from codelocd.releases.mapping import in_release, left_out, needed, release_root

TREE = Path("/state/releases/sales/id/tree")
SALES = LocationSpec(
    "sales",
    Target("python_file", "/srv/shop/sales/defs.py"),
    Path("/srv/shop/sales"),
    "/srv/shop/codelocd.toml [location.sales]",
)


@pytest.mark.parametrize(
    ("change", "root"),
    [
        ({}, "/srv/shop"),
        ({"declared_in": "/etc/codelocd/codelocd.toml [location.sales]"}, "/srv/shop/sales"),
        ({"declared_in": "the command line"}, "/srv/shop/sales"),
        ({"release_root": Path("/srv")}, "/srv"),
        (
            {"declared_in": "/etc/x", "target": Target("python_file", "/srv/shop/lib/defs.py")},
            "/srv/shop",
        ),
        ({"declared_in": "/etc/x", "target": Target("module", "shop.defs")}, "/srv/shop/sales"),
    ],
)
def test_the_root_is_the_configs_folder_or_the_codes(change: dict[str, Path], root: str) -> None:
    assert release_root(replace(SALES, **change)) == Path(root)  # type: ignore[arg-type]


def test_paths_below_the_root_move_and_what_is_the_machines_stays() -> None:
    asked = Request(
        requirements=(Path("/srv/shop/requirements.txt"), Path("/etc/common.txt")),
        path=Path("/srv/shop/.venv"),
    )
    search = "/srv/shop/lib:relative:/opt/lib:"
    spec = replace(
        SALES,
        environment=asked,
        env_file=Path("/srv/shop/.env"),
        variables={"PYTHONPATH": search, "DATA": "/srv/shop/data"},
        policy=Policy(reload="on-change"),
        activated_allowed=True,
    )
    found = in_release(spec, "id", TREE)
    assert found.target == Target("python_file", f"{TREE}/sales/defs.py")
    assert found.working_directory == TREE / "sales"
    assert found.environment is not None
    assert found.environment.requirements == (TREE / "requirements.txt", Path("/etc/common.txt"))
    assert found.environment.path == Path("/srv/shop/.venv")
    assert found.env_file == Path("/srv/shop/.env")
    assert found.variables == {
        "PYTHONPATH": f"{TREE}/lib:relative:/opt/lib:",
        "DATA": "/srv/shop/data",
    }
    assert (found.release, found.policy.reload, found.activated_allowed) == ("id", "manual", False)
    locked = replace(SALES, environment=Request(lock=Path("/srv/shop/uv.lock")))
    moved = in_release(locked, "id", TREE).environment
    assert moved is not None
    assert moved.lock == TREE / "uv.lock"


def test_what_a_release_must_hold_is_what_the_description_names() -> None:
    asked = Request(project=Path("/srv/shop"), requirements=(Path("/etc/x.txt"),))
    assert list(needed(replace(SALES, environment=asked))) == ["sales", "sales/defs.py", "."]
    assert list(needed(replace(SALES, target=Target("module", "a.b")))) == ["sales"]


def test_globs_that_are_ignored_are_seen_from_the_root() -> None:
    spec = replace(SALES, ignore=("scratch/", "*.csv", "/srv/shop/data/**", "../../other/**"))
    assert left_out(spec) == ["sales/scratch/**", "sales/*.csv", "data/**"]
