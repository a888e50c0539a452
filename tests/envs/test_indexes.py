"""Where packages come from: an index over HTTP, pip's configuration, the cache alone."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from codeloc_envs import Environment, EnvironmentProblem, Request

Build = Callable[..., Environment]
Wheel = Callable[..., Path]


@dataclass
class Index:
    """A package index (PEP 503) of the test's wheels, and what was asked of it."""

    url: str
    stop: Callable[[], None]
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def index(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    root = tmp_path / "index"
    (root / "simple").mkdir(parents=True)
    (root / "files").symlink_to(wheels)
    handler = functools.partial(Handler, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    index = Index(f"http://127.0.0.1:{server.server_port}/simple", server.server_close)
    Handler.asked, Handler.wheels = index.asked, wheels
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    yield index
    server.shutdown()
    server.server_close()


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]
    wheels: Path

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not self.path.startswith("/simple/"):
            super().do_GET()
            return
        name = self.path.strip("/").split("/")[-1]
        links = "".join(
            f'<a href="/files/{file.name}#sha256={sha256(file.read_bytes()).hexdigest()}">'
            f"{file.name}</a>"
            for file in sorted(self.wheels.glob(f"{name}-*.whl"))
        )
        self.send_response(200 if links else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Cache-Control", "max-age=0")
        self.end_headers()
        self.wfile.write(f"<!DOCTYPE html><html><body>{links}</body></html>".encode())

    def end_headers(self) -> None:
        """Files may be kept, as many indexes have it, but not be used without asking again."""
        if self.path.startswith("/files/"):
            self.send_header("Cache-Control", "max-age=0")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base
        pass


def value(environment: Environment, module: str) -> str:
    code = f"import {module}; print({module}.VERSION)"
    return subprocess.check_output([environment.executable, "-c", code], text=True).strip()


def damage(environment: Environment) -> None:
    environment.executable.unlink()


def test_packages_come_from_an_index(build: Build, wheel: Wheel, index: Index) -> None:
    wheel("beta", "2.0")
    wheel("alpha", "1.0", "beta")
    assert value(build(Request(packages=("alpha",))), "beta") == "2.0"
    assert any(path.startswith("/files/beta-2.0") for path in index.asked)


def test_a_ready_environment_and_a_kept_lock_need_no_index(
    build: Build, wheel: Wheel, index: Index
) -> None:
    wheel("alpha", "1.0")
    environment = build(Request(packages=("alpha",)))
    index.asked.clear()
    assert build(Request(packages=("alpha",))).origin == "reused"
    damage(environment)
    again = build(Request(packages=("alpha",)))
    assert (again.origin, value(again, "alpha")) == ("built", "1.0")
    assert index.asked == []


def test_what_the_cache_lacks_is_downloaded(
    build: Build, wheel: Wheel, index: Index, store_root: Path
) -> None:
    wheel("alpha", "1.0")
    damage(build(Request(packages=("alpha",))))
    (store_root / "cache/uv").rename(store_root / "cache/lost")
    index.asked.clear()
    assert value(build(Request(packages=("alpha",))), "alpha") == "1.0"
    assert any(path.startswith("/files/alpha") for path in index.asked)


def test_without_a_network_the_cache_is_enough_for_what_it_holds(
    build: Build, wheel: Wheel, index: Index
) -> None:
    wheel("alpha", "1.0")
    build(Request(packages=("alpha",)))
    index.stop()
    environment = build(Request(packages=("alpha<2",)))
    assert value(environment, "alpha") == "1.0"
    with pytest.raises(EnvironmentProblem, match="no network: nothing answers at"):
        build(Request(packages=("beta",)))


def test_where_only_pip_is_configured_its_index_is_used(
    build: Build, wheel: Wheel, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("alpha", "1.0")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_FIND_LINKS", "/nonexistent/links")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///nonexistent/simple")
    assert value(build(Request(packages=("alpha",))), "alpha") == "1.0"


def test_the_best_version_of_all_of_pips_indexes_is_taken(
    build: Build,
    wheel: Wheel,
    index: Index,
    wheels: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel("alpha", "2.0")
    old = wheel("alpha", "1.0").rename(tmp_path / "alpha-1.0-py3-none-any.whl")
    page = tmp_path / "extra/alpha/index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{old.as_uri()}">{old.name}</a>')
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "extra").as_uri())
    wheel("beta", "1.0")
    environment = build(Request(packages=("alpha", "beta")))
    assert (value(environment, "alpha"), value(environment, "beta")) == ("2.0", "1.0")


def test_with_pips_no_index_only_its_links_count(
    build: Build, wheel: Wheel, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("alpha", "1.0")
    for name in ("UV_DEFAULT_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    assert value(build(Request(packages=("alpha",))), "alpha") == "1.0"


def test_with_this_machines_own_configuration(build: Build) -> None:
    try:
        environment = build(Request(packages=("six",)))
    except EnvironmentProblem as problem:
        if problem.summary.startswith("no network"):
            pytest.skip(f"the index of this machine is out of reach: {problem.summary}")
        raise
    code = "import six; print(six.__name__)"
    assert subprocess.check_output([environment.executable, "-c", code], text=True) == "six\n"


def test_one_more_package_downloads_only_itself(build: Build, wheel: Wheel, index: Index) -> None:
    """What is named by address would be asked for again, whatever is in the cache."""
    wheel("alpha")
    wheel("beta")
    build(Request(packages=("alpha",)))
    index.asked.clear()
    build(Request(packages=("alpha", "beta")))
    new, known = (index.asked.count(f"/files/{name}-1.0-py3-none-any.whl") for name in NAMES)
    assert known < new, "both are asked for their metadata, and only the new one for its content"


NAMES = ("beta", "alpha")


def test_a_wrong_hash_in_a_uv_lock_names_its_line(
    build: Build, wheel: Wheel, index: Index, project: Callable[..., Path], workplace: Path
) -> None:
    digest = sha256(wheel("alpha").read_bytes()).hexdigest()
    app = project(workplace / "app", "app", ("alpha",))
    subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=app, check=True)
    lock = app / "uv.lock"
    assert value(build(code=app), "alpha") == "1.0"
    lock.write_text(lock.read_text().replace(digest, "0" * 64))
    lines = lock.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "0" * 64 in text)
    with pytest.raises(EnvironmentProblem) as caught:
        build(code=app)
    assert caught.value.summary.startswith(
        f"{lock}, line {line}: alpha==1.0: what the index serves does not match its hash"
    )
