"""Each failure names its culprit in one line, and shows the installer's own words."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codeloc_envs import Environment, EnvironmentProblem, Request, choose
from codeloc_envs.install.output import explain

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
Project = Callable[..., Path]


def problem(build: Build, *arguments: object, **named: object) -> EnvironmentProblem:
    with pytest.raises(EnvironmentProblem) as caught:
        build(*arguments, **named)
    assert "\n" not in caught.value.summary
    return caught.value


def test_no_such_package(build: Build, wheels: Path) -> None:
    found = problem(build, Request(packages=("pandsa",)))
    assert found.summary == "no such package: pandsa; check its name, or the index"
    assert "pandsa was not found" in found.detail


def test_no_such_version(build: Build, wheel: Wheel) -> None:
    wheel("alpha", "1.0")
    found = problem(build, Request(packages=("alpha==9",)))
    assert found.summary == "no version of alpha fits alpha==9; change the requirement"
    newer = problem(build, Request(packages=("alpha>=9",)))
    assert newer.summary == "no version of alpha fits alpha>=9; change the requirement"


def test_a_conflict_shows_the_resolvers_explanation(build: Build, wheel: Wheel) -> None:
    wheel("alpha", "1.0", "beta<2")
    wheel("beta", "1.0")
    wheel("beta", "2.0")
    found = problem(build, Request(packages=("alpha", "beta>=2")))
    assert found.summary.startswith("the requirements contradict each other: ")
    assert "alpha" in found.summary
    assert "beta" in found.summary
    assert "we can conclude that your requirements are unsatisfiable" in found.detail


def test_no_such_python(build: Build) -> None:
    found = problem(build, Request(python="3.99"))
    assert found.summary.startswith("python 3.99 (asked for) not found; there is: ")


def test_a_requirement_that_excludes_the_python(
    build: Build, wheel: Wheel, wheels: Path, workplace: Path, project: Project
) -> None:
    lib = project(workplace / "lib", "lib", more='requires-python = ">=3.99"\n')
    found = problem(build, Request(packages=(f"lib @ {lib.as_uri()}",)))
    assert "a requirement needs Python >=3.99, this environment has 3." in found.summary


def test_an_invalid_requirement_names_the_file(build: Build, wheels: Path, workplace: Path) -> None:
    (workplace / "requirements.txt").write_text("-r more.txt\n")
    (workplace / "more.txt").write_text("six\nnot a requirement!\n")
    found = problem(build)
    assert str(workplace / "more.txt") in found.summary or "more.txt" in found.detail
    assert "Couldn't parse requirement" in found.detail


def test_a_build_from_source_that_fails_shows_its_output(
    build: Build, wheels: Path, workplace: Path, project: Project
) -> None:
    trouble = "raise SystemExit('no compiler: install gcc')"
    folder = project(workplace / "app", "app", trouble=trouble)
    found = problem(build, code=folder)
    assert found.summary.startswith("app could not be built from source")
    assert "no compiler: install gcc" in found.detail


def test_a_hash_that_does_not_match(build: Build, wheel: Wheel, workplace: Path) -> None:
    file = wheel("alpha", "1.0")
    (workplace / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "alpha"\n'
        f'version = "1.0"\nwheels = [{{ url = "{file.as_uri()}", '
        f'hashes = {{ sha256 = "{"0" * 64}" }} }}]\n'
    )
    found = problem(build)
    assert found.summary == (
        f"{workplace}/pylock.toml, line 6: alpha==1.0: what the index serves does not match its "
        "hash; update the hash, or find out why the file changed"
    )
    assert "0" * 64 in found.detail


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("packages = [\n", "is not valid TOML"),
        ("[[packages]]\nversion = '1'\n", "is no pylock.toml"),
    ],
)
def test_a_broken_pylock(build: Build, workplace: Path, text: str, summary: str) -> None:
    lock = workplace / "pylock.toml"
    lock.write_text(text)
    found = problem(build)
    assert found.summary.startswith(f"{lock} {summary}")


def test_a_broken_uv_lock(build: Build, wheels: Path, workplace: Path, project: Project) -> None:
    folder = project(workplace / "app", "app")
    (folder / "uv.lock").write_text("version = [\n")
    found = problem(build, code=folder)
    assert "Failed to parse `uv.lock`" in found.summary


def test_no_network_names_the_address_that_does_not_answer(
    build: Build, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        found = problem(build, Request(packages=("alpha",)))
    assert found.summary == (
        f"no network: nothing answers at {url}/alpha/; check the connection or the index"
    )


class Answering(BaseHTTPRequestHandler):
    """An index that has nothing but a status: that in the path."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 its own name
        """Says nothing."""


@pytest.fixture
def answering(wheels: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "summary"),
    [
        (
            401,
            "the index {url} refuses access (401): correct its address, or its user and password",
        ),
        (
            403,
            "the index {url} refuses access (403): correct its address, or its user and password",
        ),
        (404, "no such package: alpha; check its name, or the index"),
        (
            500,
            (
                "{url}/alpha/ answers 500 Internal Server Error;"
                " check the address, or try again later"
            ),
        ),
        (200, "the index has no version of alpha; check its name, or the index"),
    ],
)
def test_an_index_that_refuses_is_not_mistaken_for_one_without_the_package(
    build: Build, answering: str, monkeypatch: pytest.MonkeyPatch, status: int, summary: str
) -> None:
    url = f"{answering}/{status}/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    found = problem(build, Request(packages=("alpha",)))
    assert found.summary == summary.format(url=url)
    assert found.detail.startswith("error: ")


def test_a_dependency_that_contradicts_a_requirement_is_told_with_both(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    wheel("alpha", "1.0", "beta==1.0")
    wheel("beta", "1.0")
    wheel("beta", "2.0")
    (workplace / "requirements.txt").write_text("alpha\nbeta==2.0\n")
    found = problem(build)
    assert found.summary.startswith("the requirements contradict each other: ")
    assert "alpha" in found.summary
    assert "beta==1.0" in found.summary
    assert "you require" in found.summary
    assert "beta==2.0" in found.summary
    assert found.detail.startswith("error: ")


def test_a_store_that_cannot_be_written_is_named(
    workplace: Path, tmp_path: Path, build: Build, store_root: Path
) -> None:
    (store_root / "keys").write_text("a file where a folder should be")
    found = problem(build)
    assert found.summary.startswith(f"the store {store_root}: ")
    assert "File exists" in found.summary


def test_a_failed_build_leaves_nothing_behind(
    build: Build, wheels: Path, workplace: Path, project: Project, store_root: Path
) -> None:
    folder = project(workplace / "app", "app", trouble="raise SystemExit('boom')")
    problem(build, code=folder)
    assert list((store_root / "environments").iterdir()) == []
    project(workplace / "app", "app")
    assert build(code=folder).origin == "built"


@pytest.mark.parametrize("room", ["40k", "400k"])
def test_a_full_disk_is_named_and_may_pass(
    wheel: Wheel, workplace: Path, tmp_path: Path, asked_pythons: Path, room: str
) -> None:
    """Full before anything is made, and full in the middle of an install."""
    (workplace / "big.py").write_bytes(os.urandom(2**20))
    with zipfile.ZipFile(wheel("alpha"), "a") as archive:
        archive.write(workplace / "big.py", "big.py")
    store = tmp_path / "small"
    store.mkdir()
    choice = choose(Request(packages=("alpha",)), code=workplace)
    question = {"store": str(store), "specification": choice.specification.to_json()}
    mount = f"mount -t tmpfs -o size={room},mode=700 tmpfs {store}"
    script = f"{mount} && exec {sys.executable} -m {WORKER}"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        input=json.dumps(question),
        capture_output=True,
        text=True,
    )
    if not done.stdout:
        pytest.skip(f"no filesystem of its own can be mounted here: {done.stderr.strip()}")
    said = json.loads(done.stdout.splitlines()[-1])["problem"]
    assert "No space left on device" in said["summary"] or "the disk is full" in said["summary"]
    assert said["passing"] is True


WORKER = "codeloc_envs.worker"
FULL_DISK = "error: Failed to install: six\n  cause: No space left on device (os error 28)\n"
NOT_CACHED = """\
error: Failed to download `x`
  cause: Network connectivity is disabled, but the requested data wasn't found in the
         cache: https://example.org/x.whl
"""
OLDER_ONLY = """\
error: No solution found when resolving dependencies
  cause: Because only alpha<=1.0 is available and you require alpha>1.0, we can conclude that
         your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("output", "summary"),
    [
        (FULL_DISK, "the disk is full: free some space, or `codelocd env prune`"),
        (NOT_CACHED, "no network, and not in the cache: https://example.org/x.whl"),
        (OLDER_ONLY, "no version of alpha fits alpha>1.0; change the requirement"),
        ("error: Something new\n  cause: went wrong\n", "Something new: went wrong"),
        ("", "the installer failed; its own output is below"),
    ],
)
def test_words_of_the_installer_become_one_line(output: str, summary: str) -> None:
    assert explain(output) == summary


def test_what_stopped_a_build_is_told_and_no_progress_stands_before_it(
    build: Build, wheels: Path, workplace: Path, project: Project
) -> None:
    folder = project(workplace / "app", "app", trouble="raise RuntimeError('no compiler')")
    found = problem(build, code=folder)
    assert found.summary == "app could not be built from source: RuntimeError: no compiler"
    assert found.detail.startswith("error: ")
    assert "DEBUG" not in found.detail


def test_what_stopped_a_build_that_has_no_name_yet_is_told(
    build: Build, wheels: Path, workplace: Path
) -> None:
    (workplace / "lib").mkdir()
    (workplace / "lib" / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbackend-path = ["."]\nbuild-backend = "backend"\n'
    )
    (workplace / "lib" / "backend.py").write_text("raise RuntimeError('needs libfoo')\n")
    (workplace / "requirements.txt").write_text("./lib\n")
    found = problem(build)
    assert found.summary == (
        "a requirement could not be built from source: RuntimeError: needs libfoo"
    )
    assert found.detail.startswith("error: ")
