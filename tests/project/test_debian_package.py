"""The package of `make deb` in a Debian of its own: installed, run, upgraded, removed, purged."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("make", "dpkg-deb", "mmdebstrap", "chroot", "unshare")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
CONFIG = """
[location.sales]
python_file = "/srv/sales.py"
[location.sales.environment]
packages = []
"""
CODE = """
from codeloc import Definitions, asset

@asset
def orders(): ...

defs = Definitions(assets=[orders])
"""
SERVED = """
install -d -o codelocd -g codelocd /run/codelocd /var/lib/codelocd
su codelocd -s /bin/sh -c 'HOME=/var/lib/codelocd STATE_DIRECTORY=/var/lib/codelocd \\
    RUNTIME_DIRECTORY=/run/codelocd exec codelocd serve --system \\
    -c /etc/codelocd/codelocd.toml' >/log 2>&1 &
for try in $(seq 200); do
    codelocd --system status >/dev/null 2>&1 && break
    sleep 0.2
done
cat /log >&2
codelocd --system definitions
codelocd --system shutdown
"""
DEADLINE = 120.0

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root may make a root folder"),
]


@pytest.fixture(scope="module")
def package() -> Path:
    subprocess.run(["make", "deb"], cwd=ROOT, check=True, capture_output=True)
    (found,) = (ROOT / "dist").glob("*.deb")
    return found


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[Path]:
    """A Debian of the release that the package is for, with Python and little else."""
    release = next(
        line.partition("=")[2].strip('"')
        for line in Path("/etc/os-release").read_text().splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    folder = tmp_path_factory.mktemp("debian") / "root"
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--include=python3,systemd", release, folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        pytest.skip(f"mmdebstrap made no Debian: {made.stderr.strip().splitlines()[-1]}")
    shutil.copy(package, folder / "codelocd.deb")
    yield folder
    shutil.rmtree(folder)


def inside(root: Path, script: str) -> str:
    """In processes, mounts and network of its own, which end with the script."""
    command = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
               f"--root={root}", "sh", "-euc", script]  # fmt: skip
    ran = subprocess.run(command, text=True, capture_output=True, check=False, timeout=DEADLINE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def files(root: Path) -> set[str]:
    """Those that no tool of Debian's keeps for itself."""
    kept = ("proc", "dev", "var/lib/dpkg", "var/log", "var/cache", "run", "tmp")
    names = (str(path.relative_to(root)) for path in root.rglob("*"))
    return {name for name in names if not name.startswith(kept)}


def test_a_package_leaves_nothing_when_it_is_purged(debian: Path) -> None:
    before = files(debian)
    accounts = (debian / "etc" / "passwd").read_text()
    inside(debian, "dpkg -i /codelocd.deb && getent passwd codelocd && codelocd --version")
    inside(debian, "mkdir -p /var/lib/codelocd/store && dpkg --purge codelocd")
    assert (
        files(debian) - before
        == {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"} - before
    )
    assert before - files(debian) == set()
    assert (debian / "etc" / "passwd").read_text() == accounts


def test_the_config_stays_when_the_package_is_only_removed(debian: Path) -> None:
    inside(debian, "dpkg -i /codelocd.deb && echo '# mine' >> /etc/codelocd/codelocd.toml")
    inside(debian, "dpkg -r codelocd")
    assert "# mine" in (debian / "etc" / "codelocd" / "codelocd.toml").read_text()
    inside(debian, "dpkg --purge codelocd")


def test_what_is_installed_serves_a_location_and_needs_no_network(debian: Path) -> None:
    inside(debian, "dpkg -i /codelocd.deb")
    (debian / "srv" / "sales.py").write_text(CODE)
    (debian / "etc" / "codelocd" / "codelocd.toml").write_text(CONFIG)
    shown = inside(debian, SERVED)
    assert "orders" in shown
    inside(debian, "dpkg --purge codelocd")
