"""An environment for Ray's bridge that does not fit the cluster: one line says so, before Ray is
imported. The cluster is a head that only listens, and a process that looks like its raylet."""

from __future__ import annotations

import platform
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from codelocd.engine.command import fitting
from codelocd.placement import EngineSettings
from tests import commands
from tests.pythons import EXTREMES, interpreter

OWN = platform.python_version()
CONFIG = """
[engine]
kind = "ray"
address = "{address}"
token = "0123456789abcdef0123456789abcdef"
environment = {{ path = "{environment}" }}
"""


class _Closing(socketserver.BaseRequestHandler):
    """What connects is let go again."""


@pytest.fixture
def address() -> Iterator[str]:
    """Of a head."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Closing) as head:
        threading.Thread(target=head.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{head.server_address[1]}"
        head.shutdown()


def raylet(address: str, folder: Path, version: str, python: str) -> subprocess.Popen[bytes]:
    """Of a cluster with this Ray and this Python. It ends with its input."""
    says = folder / "python"
    says.write_text(f"""#!/bin/sh\necho '["{version}", "{python}"]'\n""")
    says.chmod(0o755)
    flags = [f"--gcs-address={address}", f"--python_worker_command={says} worker.py"]
    words = ["raylet", "-c", "read line", *flags]
    return subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE)


def environment(folder: Path, base: str, ray: str | None, *, speaks: bool = True) -> Path:
    """One with that Ray, as far as its metadata go."""
    made = folder / "environment"
    subprocess.run([base, "-m", "venv", "--without-pip", str(made)], check=True)
    (packages,) = made.glob("lib/python3*/site-packages")
    if ray is not None:
        described = packages / f"ray-{ray}.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ray\nVersion: {ray}\n")
    if speaks:
        (packages / "msgpack").symlink_to(Path(msgpack.__file__).parent)
    return made


def checked(folder: Path, address: str, environment: Path) -> str:
    """The line that `engine check` refuses the config with."""
    config = folder / "codelocd.toml"
    config.touch(0o600)
    config.write_text(CONFIG.format(address=address, environment=environment))
    done = commands.run(["engine", "check", str(config)], cwd=folder)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("own", "cluster", "python", "told"),
    [
        ("2.40.0", "2.60.0", OWN, f"has Ray 2.40.0 on Python {OWN}, and the cluster Ray 2.60.0"),
        (
            "2.60.0",
            "2.60.0",
            "3.10.1",
            f"on Python {OWN}, and the cluster Ray 2.60.0 on Python 3.10.1",
        ),
        (None, "2.60.0", OWN, "the engine's environment has no Ray on Python"),
    ],
    ids=["another Ray", "another Python", "no Ray"],
)
def test_an_environment_that_does_not_fit_the_cluster_is_refused_in_one_line(
    address: str, tmp_path: Path, own: str | None, cluster: str, python: str, told: str
) -> None:
    with raylet(address, tmp_path, cluster, python):
        said = checked(tmp_path, address, environment(tmp_path, sys.executable, own))
    (line,) = [each for each in said.splitlines() if told in each]
    assert "both have to be equal: change [engine] environment, or leave it out" in line


def test_an_environment_that_the_bridge_cannot_speak_from_says_what_it_lacks(
    address: str, tmp_path: Path
) -> None:
    with raylet(address, tmp_path, "2.60.0", OWN):
        made = environment(tmp_path, sys.executable, "2.60.0", speaks=False)
        said = checked(tmp_path, address, made)
    assert f"{made}/bin/python has no msgpack: install msgpack" in said


def test_a_python_that_is_too_old_for_the_bridge_is_named(address: str, tmp_path: Path) -> None:
    made = environment(tmp_path, str(interpreter(EXTREMES[0])), "2.10.0", speaks=False)
    assert "is a Python before 3.11, which the bridge needs" in checked(tmp_path, address, made)


def test_what_is_built_without_an_environment_is_the_clusters_ray_and_python(
    address: str, tmp_path: Path
) -> None:
    """Asked for again before each bridge: so a cluster that was renewed gets one that fits."""
    settings = EngineSettings("ray", address=address)
    for version in ("2.60.0", "2.61.0"):
        with raylet(address, tmp_path, version, OWN):
            request = fitting(settings)
        assert request.python == str(tmp_path / "python")
        assert request.packages[0] == f"ray=={version}"
