"""Which sources were read, and that it is their text that runs, never old bytecode."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile

GOOD = "from codeloc import Definitions\ndefs = Definitions()\n"
ONE = (
    "from codeloc import Definitions, asset\n"
    "@asset\ndef {}(): ...\n"
    "defs = Definitions(assets=[{}])\n"
)


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def test_a_save_within_the_second_and_of_the_same_size_runs_the_new_code(start, code, python):
    (code / "defs.py").write_text("from part import defs as defs\n")
    part = code / "part.py"
    part.write_text(ONE.format("old", "old"))
    when = part.stat()
    subprocess.run([python, "-m", "py_compile", str(part)], check=True)
    assert any(code.rglob("*.pyc"))
    part.write_text(ONE.format("new", "new"))
    os.utime(part, ns=(when.st_atime_ns, when.st_mtime_ns))
    runner = start(python, code / "defs.py")
    assert runner.assets() == ["new"]
    assert runner.load()["sources"][str(part)] == digest(part.read_bytes())


def test_no_bytecode_is_written_beside_the_sources(start, code, python):
    (code / "shop").mkdir()
    (code / "shop" / "__init__.py").write_text("from . import part\n" + GOOD)
    (code / "shop" / "part.py").write_text("")
    assert start(python, "shop", kind="package", directory=code).assets() == []
    assert sorted(p.name for p in code.rglob("*")) == ["__init__.py", "part.py", "shop"]


def test_sources_found_by_a_pth_file_count(start, code, tmp_path, environment, python):
    executable, packages = environment(python)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "common.py").write_text("one = 1\n")
    (packages / "shared.pth").write_text(f"{shared}\n")
    (code / "defs.py").write_text("import common\n" + GOOD)
    sources = start(executable, code / "defs.py").load()["sources"]
    assert set(sources) == {str(code / "defs.py"), str(shared / "common.py")}


def test_sources_found_by_an_editable_installs_finder_count(
    start, code, tmp_path, environment, python
):
    executable, packages = environment(python)
    shared = tmp_path / "shared.py"
    shared.write_text("one = 1\n")
    (packages / "editable_finder.py").write_text(
        "import sys\n"
        "from importlib.util import spec_from_file_location\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == 'shared': return spec_from_file_location(name, {str(shared)!r})\n"
        "sys.meta_path.append(Finder)\n"
    )
    (packages / "editable.pth").write_text("import editable_finder\n")
    (code / "defs.py").write_text("import shared\n" + GOOD)
    sources = start(executable, code / "defs.py").load()["sources"]
    assert set(sources) == {str(code / "defs.py"), str(shared)}


def test_modules_loaded_by_path_count(run, code, extreme):
    (code / "plugin.txt.py").write_text("one = 1\n")
    source = """
import importlib.util
spec = importlib.util.spec_from_file_location("plugin", "plugin.txt.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert module.one == 1
"""
    assert str(code / "plugin.txt.py") in run(extreme, source + GOOD).load()["sources"]


def test_installed_packages_and_the_standard_library_do_not_count(
    start, code, environment, extreme
):
    executable, packages = environment(extreme)
    (packages / "library.py").write_text("one = 1\n")
    (code / "defs.py").write_text("import json, library, wave\n" + GOOD)
    sources = start(executable, code / "defs.py").load()["sources"]
    assert set(sources) == {str(code / "defs.py")}


def test_namespace_packages_archives_and_extension_modules_load_as_ever(run, code, python):
    (code / "space").mkdir()
    (code / "space" / "part.py").write_text("one = 1\n")
    with zipfile.ZipFile(code / "packed.zip", "w") as archive:
        archive.writestr("inside.py", "two = 2\n")
    source = """
import sys
sys.path.append("packed.zip")
import inside, space.part, _ctypes
assert (space.part.one, inside.two) == (1, 2)
"""
    sources = run(python, source + GOOD).load()["sources"]
    assert set(sources) == {str(code / "defs.py"), str(code / "space" / "part.py")}


def test_a_module_that_is_reloaded_counts_as_it_is_now(run, code, python):
    source = """
import importlib, pathlib
import part
pathlib.Path("part.py").write_text("value = 2\\n")
importlib.reload(part)
assert part.value == 2
"""
    (code / "part.py").write_text("value = 1\n")
    sources = run(python, source + GOOD).load()["sources"]
    assert sources[str(code / "part.py")] == digest(b"value = 2\n")


def test_source_lines_are_there_for_inspect(run, python):
    source = "import inspect\ndef work():\n    return 1\n"
    check = "assert inspect.getsource(work) == 'def work():\\n    return 1\\n'\n"
    assert run(python, source + check + GOOD).assets() == []


def test_a_source_that_fails_counts_too(run, code, extreme):
    runner = run(extreme, "raise ValueError\n")
    assert runner.load()["sources"] == {str(code / "defs.py"): digest(b"raise ValueError\n")}


def test_tools_that_transform_a_source_still_do(run, code, extreme):
    (code / "part.py").write_text("value = 1\n")
    source = """
import sys
from importlib.machinery import PathFinder, SourceFileLoader
class Doubling(SourceFileLoader):
    def source_to_code(self, data, path, *, _optimization=-1):
        return compile(data.replace(b"1", b"2"), path, "exec")
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        if name == "part":
            spec.loader = Doubling(name, spec.origin)
        return spec
sys.meta_path.insert(0, Finder)
import part
assert part.value == 2
"""
    sources = run(extreme, source + GOOD).load()["sources"]
    assert sources[str(code / "part.py")] == digest(b"value = 1\n")


def test_the_bundles_bytecode_is_kept_even_where_bytecode_is_forbidden(run, bundle, code, python):
    runner = run(python, GOOD, PYTHONDONTWRITEBYTECODE="1")
    assert runner.assets() == []
    tag = subprocess.run(
        [python, "-c", "import sys; print(sys.implementation.cache_tag)"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    assert (bundle / "api" / "codeloc" / "__pycache__" / f"__init__.{tag}.pyc").exists()
    assert (bundle / f".compiled-{tag}").exists()
