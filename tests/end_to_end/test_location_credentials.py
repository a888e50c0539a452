"""A variable that is read from a credential of the service at each start of a runner."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import commands
from tests.end_to_end.daemons import StartDev, failed

SECRET = "hunter2-of-the-credential"
CODE = """
import os
from codeloc import Definitions, asset
defs = Definitions(assets=[asset(lambda: None, name=f"has_{len(os.environ['KEY'])}")])
"""


def test_a_credential_is_read_at_each_start_and_told_to_the_runner_alone(
    dev: StartDev, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    (project / "defs.py").write_text(CODE)
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nenv = { KEY = { credential = "key" } }\n'
    )
    daemon = dev()
    problem = daemon.until("sales", failed)["problem"]
    assert problem["kind"] == "config"
    assert problem["summary"] == (
        f"KEY: the credential {folder}/key cannot be read: No such file or directory; "
        "give it to the service (LoadCredential=key:/PATH), and restart that"
    )
    refused = daemon.cli("exec", "sales", "--", "python", "-c", "")
    assert (refused.returncode, refused.stderr.count("LoadCredential=key:/PATH")) == (1, 1)
    found = daemon.cli("config", "validate")
    assert (found.returncode, "codelocd.toml:3" in found.stderr) == (2, True)

    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    for command in ("config", "validate"), ("doctor",):
        here = {**daemon.environ, "CREDENTIALS_DIRECTORY": ""}
        done = commands.run(command, cwd=project, environ=here)
        said = done.stdout + done.stderr
        assert "takes the credential key: $CREDENTIALS_DIRECTORY is not set here" in said

    (folder / "key").write_text(f"{SECRET}\n")
    assert daemon.cli("reload", "sales").returncode == 0
    assert daemon.definitions() == [f"asset has_{len(SECRET)}"]
    asked = "import os; print(os.environ['KEY'], 'CREDENTIALS_DIRECTORY' in os.environ)"
    assert daemon.cli("exec", "sales", "--", "python", "-c", asked).stdout == f"{SECRET} False\n"

    pid = daemon.entry("sales")["pid"]
    (folder / "key").write_text("short")
    assert daemon.cli("reload", "sales").returncode == 0
    assert daemon.definitions() == ["asset has_5"]
    (folder / "key").unlink()
    assert daemon.cli("reload", "sales").returncode == 1
    entry = daemon.entry("sales")
    assert (entry["state"], entry["stale"], entry["pid"] not in (None, pid)) == (
        "serving", True, True,
    )  # fmt: skip

    told = [daemon.cli(*words).stdout for words in (
        ("show", "sales", "--json"), ("events", "--json"), ("config", "show"), ("logs", "--json"),
    )]  # fmt: skip
    assert '"variables": ["KEY"]' in told[0].replace("\n", "").replace("  ", "")
    assert 'env = { KEY = { credential = "key" } }' in told[2]
    assert SECRET not in "".join((*told, *daemon.printed))
    written = (Path(home, name) for home, _, names in os.walk(tmp_path) for name in names)
    assert not [path for path in written if path.is_file() and SECRET.encode() in path.read_bytes()]
