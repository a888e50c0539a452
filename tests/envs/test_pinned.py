"""A lock as pinned requirements, where it says no more than they can."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs.project.pylock import pinned, read_lock

HEAD = 'lock-version = "1.0"\n'
ALPHA = '[[packages]]\nname = "alpha"\nversion = "1.0"\n'
WHEEL = 'wheels = [{ url = "https://x/alpha.whl", hashes = { sha256 = "aa" } }]\n'


def text(tmp_path: Path, *packages: str) -> str | None:
    lock = tmp_path / "pylock.toml"
    lock.write_text(HEAD + "".join(packages))
    return pinned(read_lock(lock))


def test_every_file_gives_its_hash_and_a_marker_stays(tmp_path: Path) -> None:
    sdist = 'sdist = { url = "https://x/alpha.tar.gz", hashes = { sha256 = "bb" } }\n'
    marker = "marker = \"python_version > '3'\"\n"
    assert text(tmp_path, ALPHA + marker + WHEEL + sdist) == (
        "alpha==1.0 ; python_version > '3' --hash=sha256:aa --hash=sha256:bb\n"
    )


@pytest.mark.parametrize(
    "package",
    [
        ALPHA + 'directory = { path = "lib" }\n',
        ALPHA + 'archive = { url = "https://x/a.zip", hashes = { sha256 = "aa" } }\n',
        ALPHA + 'index = "https://private/simple"\n' + WHEEL,
        ALPHA + 'wheels = [{ url = "https://x/alpha.whl", hashes = {} }]\n',
        ALPHA,
    ],
)
def test_what_pins_cannot_say_stays_a_lock(tmp_path: Path, package: str) -> None:
    beta = ALPHA.replace("alpha", "beta") + WHEEL
    assert text(tmp_path, beta, package) is None


def test_nothing_is_no_pins(tmp_path: Path) -> None:
    assert text(tmp_path) is None
