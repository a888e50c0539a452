"""Code that makes its own runner say what it likes."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.daemons import StartDev, native

PATCH = """
import gc, json
methods = next(each for each in gc.get_objects() if type(each).__name__ == "Methods")
good = type(methods)._served
def served(self):
    outcome = good(self)
    body = json.loads(outcome.body)
    body["definitions"][0].update({changes})
    outcome.body = json.dumps(body).encode()
    return outcome
type(methods)._served = served
"""


def test_a_runner_that_says_anything_fails_alone_and_breaks_no_list(
    dev: StartDev, project: Path
) -> None:
    (project / "good.py").write_text(native("orders"))
    (project / "bad.py").write_text(native("a") + PATCH.format(changes="deps=7"))
    daemon = dev("-f", "good.py", "-f", "bad.py")
    daemon.until_serving("good")
    entry = daemon.until("bad", lambda each: each["problem"] is not None)
    summary = "definition 1 ('asset' 'a'): deps is 7, not a list of keys"
    assert entry["state"] == "failed"
    assert entry["problem"]["summary"].endswith(summary)
    assert daemon.definitions() == ["asset orders"]
    assert daemon.cli("definitions").returncode == 0
    assert daemon.cli("show", "bad").returncode == 0
    assert summary in daemon.cli("status").stdout
