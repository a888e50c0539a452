"""When an environment that stands in the store must not be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs import Request, Store, choose
from codeloc_envs.store import records


def test_one_that_is_removed_while_it_is_looked_at_counts_as_absent(
    store: Store, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = choose(Request(), code=workplace).specification
    store.build(wanted, lambda _: None)

    def removed(prefix: Path) -> str:
        raise FileNotFoundError(prefix / "lib")

    monkeypatch.setattr(records, "site_fingerprint", removed)
    assert store.find(wanted) is None
