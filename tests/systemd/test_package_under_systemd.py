"""The Debian package in a clean Debian that a real systemd runs: installed, upgraded, purged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import native, wait_for
from tests.systemd.box import CERTIFICATES, ROOT, Box, debian, own_release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SYSTEM, SHOP = "/run/codelocd/control.sock", "/run/codelocd-shop/control.sock"
SHOP_CONFIG = """
[location.shop]
python_file = "/srv/shop.py"
environment = { packages = [] }
"""
BEFORE = "0.0.9"
QUICKSTART = "/srv/quickstart"
KEPT = ("proc", "sys", "dev", "run", "tmp", "var/lib/dpkg", "var/lib/systemd", "var/log", "var/tmp")
"""Where Debian and systemd themselves write while they run."""
BACKUPS = {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock"}
"""What the tools of accounts leave."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The package of an earlier version, and that of this one."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    subprocess.run(["make", "deb"], cwd=ROOT, check=True, capture_output=True)
    (newer,) = (ROOT / "dist").glob("*.deb")
    folder = tmp_path_factory.mktemp("packages")
    tree, earlier = folder / "tree", folder / "earlier.deb"
    subprocess.run(["dpkg-deb", "-R", newer, tree], check=True)
    control = tree / "DEBIAN" / "control"
    version = subprocess.check_output(["dpkg-deb", "-f", newer, "Version"], text=True).strip()
    control.write_text(control.read_text().replace(f"Version: {version}", f"Version: {BEFORE}"))
    (module,) = tree.glob("opt/codelocd/lib/python3*/site-packages/codelocd/__init__.py")
    module.write_text(module.read_text().replace(f'"{version}"', f'"{BEFORE}"'))
    for compiled in (module.parent / "__pycache__").glob("__init__.*"):
        compiled.unlink()
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, earlier],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(tree)
    return earlier, newer


@pytest.fixture(scope="module")
def clean(
    tmp_path_factory: pytest.TempPathFactory, packages: tuple[Path, Path]
) -> Iterator[tuple[Box, set[str]]]:
    """A Debian of the release that the package is for, and the names of all its files."""
    folder = tmp_path_factory.mktemp("clean")
    below = debian(own_release(), folder / "debian")
    box = Box(folder, below)
    try:
        box.make()
        box.trust()
        for name, package in zip(("earlier", "newer"), packages, strict=True):
            shutil.copy(package, box.root / "srv" / f"{name}.deb")
        box.boot(online=True)
        yield box, files(box)
    finally:
        box.close()
        shutil.rmtree(below)


def files(box: Box) -> set[str]:
    found = box.run("find", "/", "-xdev", "-not", "-path", "/srv/*").stdout.splitlines()
    return {each[1:] for each in found if not each[1:].startswith(KEPT)}


def version(box: Box, socket: str) -> str:
    said = box.run("codelocd", "--socket", socket, "status", "--json", check=False).stdout
    document: dict[str, Any] = json.loads(said)
    return str(document["daemon"]["version"])


def prepare(box: Box) -> None:
    """The quickstart as the machine's service, and one more daemon."""
    box.run("cp", "-r", "/usr/share/doc/codelocd/quickstart", QUICKSTART)
    text = box.run("cat", f"{QUICKSTART}/codelocd.toml").stdout
    for relative in ("ingest.py", "sales", "weather"):
        for key in ("python_file", "working_directory"):
            text = text.replace(f'{key} = "{relative}"', f'{key} = "{QUICKSTART}/{relative}"')
    box.write("/etc/codelocd/codelocd.toml", text)
    box.write("/srv/shop.py", native("baskets"))
    box.write("/etc/codelocd/shop.toml", SHOP_CONFIG)
    trust = f"[Service]\nEnvironment=SSL_CERT_FILE={CERTIFICATES}\n"
    box.write("/etc/systemd/system/codelocd.service.d/trust.conf", trust)
    box.run("systemctl", "daemon-reload")


def test_a_package_starts_is_upgraded_with_the_same_runners_and_purged_without_a_trace(
    clean: tuple[Box, set[str]],
) -> None:
    box, before = clean
    accounts = box.run("getent", "passwd").stdout
    box.run("dpkg", "-i", "/srv/earlier.deb")
    done = box.run("codelocd", "service", "status", "--json")
    assert {each["file"] for each in json.loads(done.stdout)} == {"packaged"}
    prepare(box)
    box.run("systemctl", "enable", "--now", "codelocd.service", "codelocd@shop.service")
    wait_for(lambda: box.serving(SYSTEM).keys() == {"ingest", "sales", "weather"}, 600)
    wait_for(lambda: box.serving(SHOP).keys() == {"shop"})
    runners = box.serving(SYSTEM) | box.serving(SHOP)
    daemons = [box.show(f"codelocd{each}.service", "MainPID") for each in ("", "@shop")]
    assert [version(box, each) for each in (SYSTEM, SHOP)] == [BEFORE, BEFORE]

    done = box.run("dpkg", "-i", "/srv/newer.deb")
    assert "still runs" not in done.stderr
    wait_for(lambda: BEFORE not in (version(box, SYSTEM), version(box, SHOP)))
    wait_for(lambda: box.serving(SYSTEM) | box.serving(SHOP) == runners)
    assert daemons == [box.show(f"codelocd{each}.service", "MainPID") for each in ("", "@shop")]
    assert box.show("codelocd.service", "NRestarts") == "0"

    box.run("dpkg", "--purge", "codelocd")
    assert box.run("pgrep", "-f", "codelocd", check=False).stdout == ""
    box.run("rm", "-r", "/etc/codelocd")  # shop.toml, which is the administrator's
    assert files(box) - before - BACKUPS == set()
    assert before - files(box) == set()
    assert box.run("getent", "passwd").stdout == accounts
    assert box.run("systemctl", "--failed", "--quiet").stdout == ""
