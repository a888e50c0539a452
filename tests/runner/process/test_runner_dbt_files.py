"""Which files of a dbt project count as sources of a location."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from codeloc_runner.loaders.dagster_files import of_dbt

LOAD_BEGAN = 2_000_000_000.0


@pytest.mark.parametrize(
    ("written", "is_source"),
    [
        ((), True),
        (("manifest.json",), False),
        (("dbt.log",), False),
        (("manifest.concurrent-update-lock",), False),
        (("../package-lock.concurrent-update-lock",), False),
    ],
)
def test_a_manifest_that_a_load_makes_or_fails_to_make_is_no_source(tmp_path, written, is_source):
    (tmp_path / "target").mkdir()
    for name in {"manifest.json", "dbt.log", *written}:
        (tmp_path / "target" / name).touch()
        at = LOAD_BEGAN + (1 if name in written else -1)
        os.utime(tmp_path / "target" / name, (at, at))
    manifest = tmp_path / "target" / "manifest.json"
    project = SimpleNamespace(project_dir=tmp_path, manifest_path=manifest)
    watched = set(of_dbt(project, LOAD_BEGAN))
    assert (str(manifest) in watched) == is_source
    assert (f"{tmp_path}/models/**" in watched) != is_source
