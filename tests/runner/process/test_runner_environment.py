"""The location's environment: its own modules win, and not a byte of it changes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import msgpack
import pytest

GOOD = "from codeloc import Definitions\ndefs = Definitions()\n"
SHADOWING = ("queue", "json", "selectors", "calendar", "re", "enum", "struct", "socket", "typing")


def content(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Names, modes, times and digests of everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        digest = hashlib.sha256(data).hexdigest()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, digest)
    return found


def test_modules_that_shadow_the_standard_library_win_as_in_plain_python(start, code, python):
    for name in SHADOWING:
        (code / f"{name}.py").write_text(f"own = {name!r}\n")
    (code / "platform").mkdir()
    (code / "platform" / "__init__.py").write_text("own = 'platform'\n")
    names = [*SHADOWING, "platform"]
    probe = (
        "import sys\n"
        "def own(name):\n"
        "    try: return getattr(__import__(name), 'own', None)\n"
        "    except Exception as error: return type(error).__name__\n"
        f"found = [own(name) for name in {names!r}]\n"
        "sys.stdout.write(repr(found) + '\\n')\n"
        "sys.stdout.flush()\n"
    )
    (code / "probe.py").write_text(probe)
    plain = subprocess.run([python, "probe.py"], cwd=code, capture_output=True, check=True)
    runner = start(python, code / "probe.py")
    runner.load()
    assert runner.call("ping") == {}
    assert runner.printed() == plain.stdout.decode()
    assert "platform" in runner.output["stdout"].decode()


def test_a_problem_is_told_though_the_whole_standard_library_is_shadowed(start, code, python):
    listing = "import os; print('\\n'.join(os.listdir(os.path.dirname(os.__file__))))"
    files = subprocess.run([python, "-c", listing], capture_output=True, check=True, text=True)
    for name in files.stdout.split():
        if name.endswith(".py"):
            (code / name).write_text("raise RuntimeError('shadowed')\n")
    (code / "defs.py").write_text("def fail():\n    raise ValueError('no')\n\nfail()\n")
    problem = start(python, code / "defs.py").problem()
    assert problem["summary"] == "ValueError: no (defs.py:2)"
    assert f'File "{code / "defs.py"}", line 4, in <module>' in problem["detail"]


def test_a_hostile_pythonpath_does_not_reach_the_runner(run, tmp_path, python):
    if "/3.8" in python or "/3.9" in python:
        pytest.skip("up to Python 3.9 the interpreter itself dies of it, before any runner")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("struct", "datetime", "collections", "operator", "types"):
        (hostile / f"{name}.py").write_text("raise RuntimeError('hostile')\n")
    runner = run(python, "value = 1\n", PYTHONPATH=str(hostile))
    assert runner.call("ping") == {}
    assert runner.problem()["summary"].startswith("No Definitions found")


@pytest.mark.parametrize("options", [(), ("-I",), ("-s", "-E"), ("-B",), ("-O",), ("-X", "dev")])
def test_it_starts_under_every_option_of_the_interpreter(run, extreme, options):
    runner = run(extreme, GOOD, options=options)
    assert runner.assets() == []


def test_it_starts_with_a_safe_path(run, python):
    assert run(python, GOOD, PYTHONSAFEPATH="1").assets() == []


def test_sitecustomize_and_pth_files_run_as_often_as_in_plain_python(
    start, code, environment, python
):
    executable, packages = environment(python)
    (packages / "sitecustomize.py").write_text("print('sitecustomize')\n")
    (packages / "hello.pth").write_text("import sys; sys.stdout.write('pth\\n')\n")
    (code / "defs.py").write_text("print('code')\n" + GOOD)
    runner = start(executable, code / "defs.py")
    runner.load()
    plain = subprocess.run([executable, "-c", "print('code')"], capture_output=True, check=True)
    assert runner.printed() == plain.stdout.decode()
    assert {"pth", "sitecustomize", "code"} == set(plain.stdout.decode().split())


def test_the_users_own_msgpack_is_untouched(start, code, environment, python):
    executable, packages = environment(python)
    own = packages / "msgpack"
    own.mkdir()
    (own / "__init__.py").write_text("version = 'own'\n")
    (code / "defs.py").write_text("import msgpack\nassert msgpack.version == 'own'\n" + GOOD)
    assert start(executable, code / "defs.py").assets() == []


def test_without_a_msgpack_of_its_own_the_location_has_none(start, code, environment, python):
    executable, _ = environment(python)
    (code / "defs.py").write_text("import msgpack\n")
    problem = start(executable, code / "defs.py").problem()
    assert problem["summary"] == "ModuleNotFoundError: No module named 'msgpack' (defs.py:1)"


def test_environment_and_sources_stay_byte_for_byte_the_same(start, code, environment, python):
    executable, packages = environment(python)
    shutil.copytree(
        Path(msgpack.__file__).parent,
        packages / "msgpack",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    (packages / "sitecustomize.py").write_text("import json\n")
    (code / "part.py").write_text("import msgpack, msgpack.fallback\n")
    (code / "defs.py").write_text("import part\n" + GOOD)
    before = content(packages.parents[2]), content(code)
    runner = start(executable, code / "defs.py", PYTHONDONTWRITEBYTECODE="1")
    assert runner.assets() == []
    assert runner.stop() == 0
    assert (content(packages.parents[2]), content(code)) == before


def test_a_cache_of_bytecode_elsewhere_is_used_for_the_environment(
    start, code, tmp_path, environment, python
):
    executable, packages = environment(python)
    (packages / "library.py").write_text("one = 1\n")
    (code / "defs.py").write_text("import library\n" + GOOD)
    cache = tmp_path / "cache"
    runner = start(executable, code / "defs.py", PYTHONPYCACHEPREFIX=str(cache))
    assert runner.assets() == []
    assert list(cache.rglob("library.*.pyc"))
    assert not list(cache.rglob("defs.*.pyc"))
    assert not list(packages.rglob("*.pyc"))


def test_the_codes_settings_about_bytecode_are_as_they_were_given(run, extreme):
    say = "print(json.dumps([sys.dont_write_bytecode, sys.pycache_prefix]))\n"
    source = "import json, sys\n" + say + GOOD
    runner = run(extreme, source, PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX="/nowhere")
    runner.load()
    assert json.loads(runner.printed()) == [True, "/nowhere"]
