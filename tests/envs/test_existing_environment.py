"""An environment that the user made is used and never touched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem, Request, Store, choose
from tests.pythons import PYENV, VERSIONS, interpreter


def state(root: Path) -> str:
    """Names, modes, sizes, times and contents of everything below `root`."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in [*folders, *sorted(names)]:
            path = Path(folder, name)
            stat = path.lstat()
            seen = (str(path), stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ino)
            digest.update(repr(seen).encode())
            if path.is_file() and not path.is_symlink():
                digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_unchanged_byte_for_byte(tmp_path: Path, store: Store, version: str) -> None:
    python = interpreter(version)
    own = tmp_path / "env"
    subprocess.run([python, "-m", "venv", "--without-pip", own], check=True)
    site = next(own.glob("lib/*/site-packages"))
    (site / "noisy.pth").write_text(f"import sys; open({str(own / 'ran')!r}, 'w')\n")
    (site / "sitecustomize.py").write_text(f"open({str(own / 'ran')!r}, 'w')\n")
    before = state(own)
    specification = choose(Request(path=own), code=tmp_path).specification
    assert store.find(specification) is None
    environment = store.build(specification, lambda _: None)
    assert store.find(specification) == environment
    with store.lease(environment):
        store.prune(idle=0)
    assert (environment.origin, environment.path) == ("existing", own)
    assert environment.python == python.parent.parent.name
    assert environment.executable == own / "bin/python"
    assert state(own) == before


def test_its_key_follows_its_python(tmp_path: Path, store: Store) -> None:
    pythons = [path.parent for path in sorted(PYENV.glob("3.1[12].*/bin/python3"))]
    if len(pythons) < 2:
        pytest.skip("two Pythons of pyenv are needed")
    keys = set()
    for home in pythons[:2]:
        link = tmp_path / "env/bin/python"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(home / "python3")
        (tmp_path / "env/pyvenv.cfg").write_text(f"home = {home}\n")
        specification = choose(Request(path=tmp_path / "env"), code=tmp_path).specification
        keys.add(store.build(specification, lambda _: None).key)
    assert len(keys) == 2


def test_a_conda_prefix_and_a_plain_python_are_told_apart(tmp_path: Path, store: Store) -> None:
    prefix = tmp_path / "conda"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    real = Path(sys.executable).resolve()
    (prefix / "bin/python").symlink_to(real)
    conda = store.build(choose(Request(path=prefix), code=tmp_path).specification, lambda _: None)
    assert conda.variables == {"CONDA_PREFIX": str(prefix)}
    plain = store.build(choose(Request(path=real), code=tmp_path).specification, lambda _: None)
    assert (plain.path, plain.variables, plain.executable) == (None, {}, real)


@pytest.mark.parametrize("compiled", [True, False])
def test_whether_it_has_bytecode_is_seen(tmp_path: Path, store: Store, compiled: bool) -> None:
    own = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", own], check=True)
    package = next(own.glob("lib/*/site-packages")) / "package"
    (package / "__pycache__" if compiled else package).mkdir(parents=True)
    specification = choose(Request(path=own), code=tmp_path).specification
    assert store.build(specification, lambda _: None).has_bytecode is compiled


def test_one_that_went_away_is_a_problem_when_it_is_looked_for(
    tmp_path: Path, store: Store
) -> None:
    own = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", own], check=True)
    specification = choose(Request(path=own), code=tmp_path).specification
    own.rename(tmp_path / "moved")
    with pytest.raises(EnvironmentProblem, match="does not exist; create it"):
        store.find(specification)


def test_bytecode_that_was_compiled_for_it_goes_when_nobody_uses_it(
    tmp_path: Path, store_root: Path, store: Store
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "own"], check=True)
    choice = choose(Request(path=tmp_path / "own"), code=tmp_path)
    environment = store.build(choice.specification, lambda _: None)
    cache = store_root / "bytecode" / environment.key
    (cache / "lib").mkdir(parents=True)
    lease = store.lease(environment)
    store.prune(idle=0)
    assert cache.is_dir(), "a runner uses it"
    lease.close()
    store.prune()
    assert cache.is_dir(), "it was used lately"
    store.prune(idle=0)
    assert not cache.exists()
    assert list((store_root / "leases").iterdir()) == []
