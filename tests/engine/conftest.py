"""Labs, one at a time: each takes most of a gigabyte."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codelocd.runners.bundle import make_bundle
from tests.engine.certificates import certificates
from tests.engine.lab import Lab, missing, running


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles"))


def secured(folder: Path) -> dict[str, str]:
    """A token and certificates for a lab: the variables by which Ray takes them."""
    addresses = [*(f"10.77.0.{number}" for number in range(1, 6)), "10.77.0.254", "127.0.0.1"]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {**certificates(folder / "tls", addresses), **token}


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two nodes, with a token and TLS."""
    if (why := missing()) is not None:
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="codelocd-lab-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with running(folder, 2, secured(folder)) as lab:
            yield lab


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A location's folder."""
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    (tmp_path / "definitions.py").write_text(
        "import helper\n"
        "from codeloc import Definitions, asset\n"
        "print('loaded from', __file__)\n"
        "@asset\n"
        "def orders(): ...\n"
        "defs = Definitions(assets=[orders])\n"
    )
    return tmp_path
