"""What a job and its assets state for a run, and the texts that it executes."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codelocd.daemon.runs.served import ServedCodes
from codelocd.daemon.runs.wishes import with_policy
from codelocd.runs.model import RunPolicy, RunWish
from codelocd.runs.policy import policy_of
from codelocd.runs.texts import keep_texts, remove_texts

USUAL = RunPolicy(retries=1, timeout=60.0, stop_timeout=5.0)


def listed(kind: str, name: str, **stated: Any) -> dict[str, Any]:
    return {"repository": "__repository__", "kind": kind, "name": name, **stated}


DEFINITIONS = [
    listed("asset", "a", retries=5, retry_delay=3.0, timeout=9.0, limits={"db": 2}),
    listed("asset", "mart/b", retries=2, memory_limit=100, limits={"db": 1, "api": 4}),
    listed("asset", "c", retries=9),
    listed("job", "stated", assets=[["a"], ["mart", "b"]], retries=0, timeout=7.0, limits={"x": 1}),
    listed("job", "bare", assets=[["a"], ["mart", "b"]]),
    listed("job", "ops", ops=["ops"]),
    {**listed("job", "bare", retries=77), "repository": "other"},
]


@pytest.mark.parametrize(
    ("wish", "policy"),
    [
        (
            {"job": "stated"},
            RunPolicy(0, 3.0, 7.0, 100, {"x": 1, "db": 1, "api": 4}, 5.0),
        ),
        ({"job": "bare"}, RunPolicy(5, 3.0, 60.0, 100, {"db": 1, "api": 4}, 5.0)),
        ({"job": "ops"}, USUAL),
        ({"select": ("a",)}, RunPolicy(5, 3.0, 60.0, None, {"db": 2}, 5.0)),
        ({"select": ("+a",)}, USUAL),
    ],
)
def test_what_is_stated_comes_before_what_is_usual(wish: dict[str, Any], policy: RunPolicy) -> None:
    assert policy_of(RunWish("sales", **wish), DEFINITIONS, USUAL) == policy


def test_texts_are_kept_once_and_those_that_changed_are_told(tmp_path: Path) -> None:
    good, changed, gone = (tmp_path / name for name in ("good.py", "changed.py", "gone.py"))
    good.write_text("good")
    changed.write_text("changed")
    digest = blake2b(b"good", digest_size=16).hexdigest()
    sources = {str(good): digest, str(changed): "0" * 32, str(gone): "1" * 32}
    folder = tmp_path / "code"

    assert keep_texts(folder, sources) == [str(changed), str(gone)]
    assert {each.name: each.read_text() for each in folder.iterdir()} == {digest: "good"}
    (folder / digest).write_text("")  # the power was cut
    assert keep_texts(folder, {str(good): digest}) == []
    assert (folder / digest).read_text() == "good"
    good.unlink()
    assert keep_texts(folder, {str(good): digest}) == []
    assert remove_texts(folder, {digest}) == 0
    assert remove_texts(folder, ()) == 1
    assert remove_texts(tmp_path / "none", ()) == 0


def test_what_a_job_states_holds_also_while_a_new_runner_is_asked_what_it_serves() -> None:
    job = {"kind": "job", "repository": "__repository__", "name": "nightly", "retries": 2}
    locations: Any = {}
    unused: Any = SimpleNamespace(root=Path("/"))
    listed = {"sales": [job]}
    codes = ServedCodes(locations, unused, lambda name: listed.get(name, []), unused)
    assert codes.of("sales") is None
    assert with_policy(RunWish("sales", job="nightly"), locations, codes).policy.retries == 2
