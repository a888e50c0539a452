"""What a client may wish of a location of Dagster's, and of another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codelocd.daemon.runs.wishes import wish_of
from codelocd.rpc.errors import RpcError

JOB = {"kind": "job", "name": "nightly", "repository": "__repository__"}


def served(loader: str = "dagster", account: object = None, **variables: str) -> Any:
    return SimpleNamespace(
        loader=loader,
        definitions=[JOB],
        order=SimpleNamespace(account=account),
        spec=SimpleNamespace(variables=variables),
    )


def wished(code: Any, **given: Any) -> Any:
    return wish_of({"names": ["nightly"], **given}, "shop", code, "ada")


def test_a_run_config_is_kept_with_the_run() -> None:
    config = {"ops": {"take": {"config": {"day": "monday"}}}}
    assert wished(served(), config=config).config == config
    assert wished(served()).config is None


@pytest.mark.parametrize(
    ("code", "given", "said"),
    [
        (served(), {"params": {"day": "x"}}, "--run-config"),
        (served("native"), {"config": {}}, "--param"),
        (served(), {"config": "ops"}, "config must be a map"),
        (served(account="other"), {}, "DAGSTER_HOME in its `env`"),
    ],
)
def test_what_does_not_fit_is_refused(code: Any, given: dict[str, Any], said: str) -> None:
    with pytest.raises(RpcError, match=said) as refused:
        wished(code, **given)
    assert refused.value.kind == "usage"


def test_another_user_may_run_on_an_instance_of_the_location() -> None:
    assert wished(served(account="other", DAGSTER_HOME="/srv/dagster")).job == "nightly"
    assert wished(served("native", account="other")).job == "nightly"
