"""What a location may name, how its definitions are found, what its code finds around it."""

from __future__ import annotations

import json
import re

import pytest

DEFS = "from codeloc import Definitions, asset\n@asset\ndef orders(): ...\n"
GOOD = DEFS + "defs = Definitions(assets=[orders])\n"
SAY = "import json, sys, os\nprint(json.dumps({}), flush=True)\n"


def said(runner):
    runner.load()
    return json.loads(runner.printed())


def test_a_file_is_imported_under_its_stem(run, python):
    runner = run(python, SAY.format("[__name__, sys.modules[__name__].orders.name]"), "sales.py")
    assert "problem" in runner.load()
    runner = run(python, GOOD + SAY.format("__name__"), "sales.py")
    assert runner.assets() == ["orders"]
    assert json.loads(runner.printed()) == "sales"


def test_a_module_is_found_in_the_working_directory(start, code, python):
    (code / "shop").mkdir()
    (code / "shop" / "__init__.py").write_text("")
    (code / "shop" / "definitions.py").write_text(GOOD)
    runner = start(python, "shop.definitions", kind="module", directory=code)
    assert runner.assets() == ["orders"]
    assert set(runner.load()["sources"]) == {
        str(code / "shop" / "__init__.py"),
        str(code / "shop" / "definitions.py"),
    }


def test_a_package_is_its_init(start, code, python):
    (code / "shop").mkdir()
    (code / "shop" / "__init__.py").write_text("from .parts import defs as defs\n")
    (code / "shop" / "parts.py").write_text(GOOD)
    assert start(python, "shop", kind="package", directory=code).assets() == ["orders"]


@pytest.mark.parametrize("attribute", ["mine", "Holder.inner", "make", "Holder.made"])
def test_an_attribute_may_be_dotted_or_a_function(run, extreme, attribute):
    source = DEFS + (
        "mine = Definitions(assets=[orders])\nother = Definitions()\n"
        "def make(): return mine\n"
        "class Holder:\n    inner = mine\n    @staticmethod\n    def made(): return mine\n"
    )
    assert run(extreme, source, attribute=attribute).assets() == ["orders"]


def test_an_attribute_that_is_not_there_is_told_with_what_is(run, extreme):
    problem = run(extreme, GOOD, attribute="nothing").problem()
    assert problem["summary"].startswith("no attribute 'nothing' in module 'defs'")
    assert "defs (Definitions)" in problem["summary"]


def test_an_attribute_of_another_type_is_told(run, extreme):
    problem = run(extreme, GOOD + "number = 3\n", attribute="number").problem()
    assert "attribute 'number' of module 'defs'" in problem["summary"]
    assert "is an int, which is no definitions" in problem["summary"]


def test_a_function_that_needs_arguments_shows_as_the_error_it_is(run, extreme):
    problem = run(extreme, GOOD + "def make(context): ...\n", attribute="make").problem()
    assert problem["summary"].startswith("TypeError: make() missing 1 required positional")


def test_two_definitions_objects_are_one_too_many(run, python):
    problem = run(python, GOOD + "other_defs = Definitions()\n").problem()
    assert problem["summary"] == (
        "Cannot have more than one Definitions object defined at module scope. "
        "Found: defs, other_defs"
    )
    assert problem["kind"] == "load"


def test_one_object_under_two_names_is_one_object(run, extreme):
    assert run(extreme, GOOD + "same = defs\n").assets() == ["orders"]


def test_without_definitions_the_error_says_what_was_found_instead(run, python):
    problem = run(python, DEFS + "import os\nlimit = 3\n").problem()
    assert problem["summary"].startswith("No Definitions found in module 'defs'")
    assert "Found instead: orders (AssetDefinition), limit (int)." in problem["summary"]
    assert "at module scope: a Definitions object" in problem["summary"]


def test_an_empty_file_holds_nothing(run, extreme):
    assert "Found instead: nothing that is public." in run(extreme, "").problem()["summary"]


def test_several_repositories_are_one_location(run, extreme):
    source = DEFS.replace("Definitions", "repository") + (
        "@repository\ndef first():\n    return [orders]\n\n"
        "@repository\ndef second():\n    return []\n"
    )
    content = run(extreme, source).load()
    assert [one["repository"] for one in content["definitions"]] == ["first"]


def test_two_repositories_of_one_name_name_both_places(run, code, extreme):
    source = DEFS.replace("Definitions", "repository") + (
        "@repository(name='shop')\ndef first():\n    return [orders]\n\n"
        "@repository(name='shop')\ndef second():\n    return []\n"
    )
    summary = run(extreme, source).problem()["summary"]
    lines = [int(line) for line in re.findall(rf"{code}/defs.py:([0-9]+)", summary)]
    assert 'repository "shop"' in summary
    assert "has the same name as" in summary
    assert len(set(lines)) == 2


def test_a_file_that_is_not_there_is_told_with_its_path(start, code, extreme):
    problem = start(extreme, code / "gone.py").problem()
    assert problem["summary"] == f"no file {code}/gone.py; create it, or correct the path"
    problem = start(extreme, code).problem()
    assert problem["summary"] == f"{code} is a folder; name a file in it, or a module"


def test_a_module_that_is_not_there_is_told(start, code, extreme):
    problem = start(extreme, "gone.deep", kind="module", directory=code).problem()
    assert problem["summary"].startswith(f"no module 'gone' in the working directory {code} or")


def test_a_module_that_imports_what_is_not_there_is_another_matter(start, code, extreme):
    (code / "shop.py").write_text("import gone\n")
    problem = start(extreme, "shop", kind="module", directory=code).problem()
    assert problem["summary"] == "ModuleNotFoundError: No module named 'gone' (shop.py:1)"


def test_the_working_directory_comes_first_then_the_files_folder(start, code, python):
    (code / "deep").mkdir()
    (code / "near.py").write_text("name = 'working directory'\n")
    (code / "deep" / "near.py").write_text("name = 'folder'\n")
    (code / "deep" / "beside.py").write_text("name = 'beside'\n")
    (code / "deep" / "defs.py").write_text(
        GOOD + "import near, beside\n" + SAY.format("[near.name, beside.name, sys.path[:2]]")
    )
    runner = start(python, code / "deep" / "defs.py", directory=code)
    assert said(runner) == ["working directory", "beside", [str(code), str(code / "deep")]]


def test_arguments_directory_and_main_are_as_in_plain_python(run, code, python):
    wanted = (
        "[sys.argv, os.getcwd(), sorted(n for n in vars(sys.modules['__main__']) if n[1] != '_')]"
    )
    runner = run(python, GOOD + SAY.format(wanted))
    assert said(runner) == [[str(code / "defs.py")], str(code), []]


def test_the_path_is_plain_pythons_and_the_bundle_is_not_on_it(run, code, bundle, python):
    import subprocess

    plain = subprocess.run(
        [python, "-c", "import sys, json; print(json.dumps(sys.path[1:]))"],
        capture_output=True,
        check=True,
        cwd=code,
    )
    runner = run(python, GOOD + SAY.format("sys.path"))
    path = said(runner)
    assert path[0] == str(code)
    assert [one for one in path[1:] if "PYTHON" not in one] == json.loads(plain.stdout)
    assert not any(str(bundle) in one for one in path)


def test_signal_handlers_and_warning_filters_are_plain_pythons(run, code, python):
    import subprocess

    question = "[str(signal.getsignal(n)) for n in (2, 11, 15, 17)] + [repr(warnings.filters)]"
    probe = f"import json, signal, warnings; print(json.dumps({question}))"
    plain = subprocess.run([python, "-c", probe], capture_output=True, check=True, cwd=code)
    runner = run(python, GOOD + probe + "\n")
    assert said(runner) == json.loads(plain.stdout)


def test_classes_of_the_file_pickle(run, python):
    source = (
        "import pickle\nclass Row: ...\nassert type(pickle.loads(pickle.dumps(Row()))) is Row\n"
    )
    assert run(python, GOOD + source).assets() == ["orders"]


def test_a_spawned_process_of_multiprocessing_does_not_start_a_second_runner(run, code, python):
    (code / "work.py").write_text("def double(number): return 2 * number\n")
    source = (
        "import multiprocessing, work\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "    assert pool.map(work.double, [2]) == [4]\n"
    )
    assert run(python, GOOD + source).assets() == ["orders"]


def test_codeloc_is_importable_and_nothing_else_of_the_bundle(run, python):
    source = """
import importlib.util
assert importlib.util.find_spec("codeloc_runner") is None
assert importlib.util.find_spec("_msgpack") is None
assert importlib.util.find_spec("codeloc.nothing") is None
"""
    assert run(python, GOOD + source).assets() == ["orders"]


def test_an_installed_codeloc_wins(run, code, environment, python):
    executable, packages = environment(python)
    (packages / "codeloc.py").write_text("here = __file__\n")
    runner = run(executable, "import codeloc\n" + SAY.format("codeloc.here"))
    runner.call("snapshot")
    assert json.loads(runner.printed()) == str(packages / "codeloc.py")
