"""What the runner has, its children have: `codeloc`, and the location's own module."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pythons import PYENV

if TYPE_CHECKING:
    from tests.runner.process.conftest import Runner

DEFINED = """
import json, multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from codeloc import Definitions, asset

@asset
def orders(): ...

defs = Definitions(assets=[orders])

def told():
    import codeloc
    return [len(sys.path), sys.path[-1], "sitecustomize" in sys.modules, [orders.name]]

def double(number):
    return 2 * number

def by(method):
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(double, 2).result(), pool.submit(told).result()

def program(*words, **options):
    return subprocess.run([sys.executable, *words], check=True, stdout=subprocess.PIPE, **options)
"""


def say(what: str) -> str:
    """Prints it once, in the runner alone."""
    return f"\nif multiprocessing.parent_process() is None:\n    print(json.dumps({what}))\n"


def printed(runner: Runner) -> Any:
    assert runner.assets() == ["orders"]
    return json.loads(runner.printed())


def test_each_start_method_of_multiprocessing_finds_codeloc_and_the_locations_module(run, python):
    methods = "[by(method) for method in ('spawn', 'forkserver', 'fork', None)]"
    found = printed(run(python, DEFINED + say(f"[told(), {methods}]")))
    own, children = found
    assert own[2:] == [False, ["orders"]]
    assert children == [[4, own]] * 4


def test_a_program_of_the_interpreter_finds_codeloc_whatever_starts_it(run, code, tmp_path, python):
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text("import codeloc, sys; print(codeloc.__name__, *sys.path[1:])")
    (script.parent / "module.py").write_text(script.read_text())
    starts = (
        f"[program(*words, cwd={str(script.parent)!r}).stdout.decode().split() for words in"
        f" (['-c', open({str(script)!r}).read()], ['-m', 'module'], [{str(script)!r}])]"
    )
    plain = [python, "-c", "import sys; print(*sys.path[1:])"]
    path = subprocess.run(plain, check=True, capture_output=True, text=True, env=without_path())
    found = printed(run(python, DEFINED + say(starts)))
    assert found == [["codeloc", *path.stdout.split()]] * 3


def without_path() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def test_a_grandchild_finds_codeloc_too(run, extreme):
    nested = (
        "import subprocess, sys;"
        "subprocess.run([sys.executable, '-c', 'import codeloc; print(1)'], check=True)"
    )
    source = DEFINED + say(f"program('-c', {nested!r}).stdout.decode()")
    assert printed(run(extreme, source)) == "1\n"


def test_nothing_else_of_ours_can_be_imported_in_a_child(run, extreme):
    tried = (
        "import sys\n"
        "for name in ('codeloc_runner', '_codeloc_runner', 'msgpack', 'sitecustomize'):\n"
        "    try: __import__(name); print(name)\n"
        "    except ImportError: pass\n"
        "print(sorted(name for name in sys.modules if 'codeloc' in name))\n"
    )
    source = DEFINED + say(f"program('-c', {tried!r}).stdout.decode()")
    assert printed(run(extreme, source)) == "[]\n"


@pytest.mark.parametrize("given", [None, "", "{0}", "{0}:", ":{0}", "{0}:{1}"])
def test_the_users_search_path_keeps_its_effect_and_its_order(run, code, tmp_path, extreme, given):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which.py").write_text(f"name = {name!r}")
    tells = "import sys; print(*sys.path[1:], sep='\\n')"
    variables = {}
    if given is not None:
        variables["PYTHONPATH"] = given.format(tmp_path / "one", tmp_path / "two")
    plain = subprocess.run(
        [extreme, "-c", tells],
        cwd=code,
        env={**without_path(), **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    source = DEFINED + say(f"program('-c', {tells!r}).stdout.decode()")
    assert printed(run(extreme, source, **variables)) == plain.stdout


def test_a_sitecustomize_of_the_users_own_runs_in_a_child_as_in_plain_python(
    start, code, environment, tmp_path, python
):
    executable, packages = environment(python)
    (packages / "sitecustomize.py").write_text("import sys; sys.own = 'of the environment'")
    first = tmp_path / "first"
    first.mkdir()
    tells = "import sitecustomize, sys; print(sys.own, sitecustomize.__file__)"
    (code / "defs.py").write_text(DEFINED + say(f"program('-c', {tells!r}).stdout.decode()"))
    runner = start(executable, code / "defs.py")
    assert printed(runner) == f"of the environment {packages / 'sitecustomize.py'}\n"
    (first / "sitecustomize.py").write_text("import sys; sys.own = 'first'")
    runner = start(executable, code / "defs.py", PYTHONPATH=str(first))
    assert printed(runner) == f"first {first / 'sitecustomize.py'}\n"


def test_a_sitecustomize_that_fails_is_told_in_a_child_as_in_plain_python(
    start, code, environment, extreme
):
    executable, packages = environment(extreme)
    (packages / "sitecustomize.py").write_text("raise ValueError('no')")
    source = DEFINED + say("program('-c', '', stderr=subprocess.PIPE).stderr.decode()")
    (code / "defs.py").write_text(source)
    plain = subprocess.run([executable, "-c", ""], check=True, capture_output=True, text=True)
    runner = start(executable, code / "defs.py")
    assert printed(runner) == plain.stderr
    assert "ValueError: no" in plain.stderr


def test_an_installed_codeloc_wins_over_ours_in_a_child(start, code, environment, extreme):
    executable, packages = environment(extreme)
    (packages / "codeloc.py").write_text("own = 1")
    tells = "import codeloc; print(codeloc.own)"
    source = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {tells!r}], check=True)"
    )
    (code / "defs.py").write_text(source)
    runner = start(executable, code / "defs.py")
    runner.load()
    assert runner.printed() == "1\n"


def others() -> list[Path]:
    """Every Python of this machine, too old ones for us among them."""
    return sorted(PYENV.glob("*/bin/python"))


def test_a_child_of_any_other_python_starts_as_without_us(run, extreme):
    tells = "import sys; print(sys.path[1:], 'sitecustomize' in sys.modules)"
    words = [[str(python), "-c", tells] for python in others()]
    plain = [
        subprocess.run(each, check=True, capture_output=True, env=without_path()) for each in words
    ]
    each = "subprocess.run(each, check=True, stdout=-1, stderr=-2).stdout.decode()"
    source = DEFINED + say(f"[{each} for each in {words}]")
    assert printed(run(extreme, source)) == [each.stdout.decode() for each in plain]


@pytest.mark.parametrize("name", ["de.fs.py", "my-defs.py", "__main__.py", "defs"])
def test_a_file_by_any_name_is_found_in_a_worker(run, extreme, name):
    found = printed(run(extreme, DEFINED + say("by('spawn')[0]"), name))
    assert found == 4


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_worker_has_the_locations_file_though_another_of_that_name_comes_first(
    start, code, python, method
):
    (code / "part").mkdir()
    (code / "defs.py").write_text("double = told = None")
    (code / "part" / "defs.py").write_text(DEFINED + say(f"by({method!r})[0]"))
    assert printed(start(python, code / "part" / "defs.py", directory=code)) == 4


def test_a_program_with_workers_of_its_own_has_modules_of_its_own(start, code, tmp_path, extreme):
    other = tmp_path / "other"
    other.mkdir()
    (other / "defs.py").write_text("def value(_): return 'of the program'")
    (other / "program.py").write_text(
        "import defs, multiprocessing\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(*pool.map(defs.value, [1]))\n"
    )
    source = DEFINED + say(f"program({str(other / 'program.py')!r}).stdout.decode()")
    (code / "defs.py").write_text(source)
    assert printed(start(extreme, code / "defs.py")) == "of the program\n"


def test_a_module_as_target_is_found_by_its_children(start, code, extreme):
    """Started by the thread that imports: any other would wait for the end of that import, as in
    plain Python.
    """
    (code / "package").mkdir()
    (code / "package" / "__init__.py").touch()
    starts = (
        "if os.environ.setdefault('STARTED_BY', str(os.getpid())) == str(os.getpid()):\n"
        "    child = multiprocessing.get_context('spawn').Process(target=double, args=(2,))\n"
        "    child.start()\n"
        "    child.join()\n"
        "    print(child.exitcode)\n"
    )
    (code / "package" / "defs.py").write_text(DEFINED + starts)
    runner = start(extreme, "package.defs", kind="module", directory=code)
    assert printed(runner) == 0


def test_a_child_starts_though_the_bundle_is_gone(run, bundle, extreme, tmp_path):
    moved = f"os.environ['PYTHONPATH'] = {str(tmp_path / 'gone')!r}"
    source = DEFINED + f"\n{moved}\n" + say("program('-c', 'print(1)').stdout.decode()")
    assert printed(run(extreme, source)) == "1\n"
