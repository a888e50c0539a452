"""The one line that says why code did not load: the reason, what is missing, the user's line."""

from __future__ import annotations

import subprocess

import pytest

RING = """
LAST = ConnectionError("database is down")
def connect():
    raise LAST
try:
    try:
        connect()
    except ConnectionError as error:
        raise RuntimeError("gave up") from error
except RuntimeError as retry:
    raise LAST from retry
"""
EVIL = """
class Evil(Exception):
    __cause__ = __context__ = __traceback__ = __class__ = property(lambda self: 1 / 0)
    __notes__ = __suppress_context__ = __dict__ = property(lambda self: 1 / 0)
    def __getattribute__(self, name): raise SystemExit(3)
    def __str__(self): return "evil"
    def __hash__(self): 1 / 0
    def __eq__(self, other): 1 / 0
    def __bool__(self): 1 / 0
raise Evil
"""
TEXT = """
class Text(str):
    def splitlines(self, *given): 1 / 0
    def __len__(self): 1 / 0
    def __getitem__(self, index): 1 / 0
class Odd(Exception):
    def __str__(self): return Text("an odd text")
raise Odd
"""
LONG = """
last = None
for number in range(100_000):
    error = ValueError(str(number))
    error.__cause__ = last
    last = error
raise last
"""
ZIPPED = """
import sys, zipfile
with zipfile.ZipFile("lib.zip", "w") as file:
    file.writestr("zipped.py", "def work():\\n    raise ValueError('in a zip')\\n")
sys.path.insert(0, "lib.zip")
import zipped
zipped.work()
"""
GENERATED = """
exec("def work():\\n    raise ValueError('made by exec')\\n")
work()
"""
WRAPPED = """
import functools
def decorated(function):
    @functools.wraps(function)
    def wrapper():
        return function()
    return wrapper
@functools.lru_cache(None)
@decorated
def work():
    return int("no number")
work()
"""
NOTES = """
error = ValueError("noted")
error.__notes__ = ["a note", 3]
error.__notes__.append(error.__notes__)
raise error
"""
GROUP = "raise ExceptionGroup('all', [ValueError(str(n)) for n in range(100_000)])"
NESTED = """
error = ValueError("deep")
for _ in range(5000):
    error = ExceptionGroup("g", [error])
raise error
"""
ASKED = 'import os\ndef work():\n    return os.environ["NO_SUCH"]\nwork()'
IMPATIENT = (
    "import sys; next(v for k, v in sys.modules.items() if k.endswith('load.exceptions'))"
    ".SECONDS = 0.2"
)
SLOW = f"""{IMPATIENT}
class Slow(Exception):
    def {{}}:
        while True: pass
raise {{}}
"""
WRAPPED_VARIABLE = """
import os
def need(name):
    try:
        return os.environ[name]
    except KeyError as error:
        raise RuntimeError("the settings are broken") from error
need("NO_SUCH")
"""
NONE = 'the environment variable "NO_SUCH" is not set'
OPENED = """
def read():
    open("no/such.csv")
try: read()
except OSError as error: raise ValueError("x") from error
"""
CASES = {
    "a variable in bytes": (
        "import os\nos.environb[b'NO_SUCH']",
        "KeyError: the environment variable 'NO_SUCH' is not set (defs.py:2)",
    ),
    "a variable to delete": (
        "import os\ndel os.environ['NO_SUCH']",
        "KeyError: the environment variable 'NO_SUCH' is not set (defs.py:2)",
    ),
    "a variable that another error is raised from": (
        WRAPPED_VARIABLE,
        (
            "RuntimeError: the settings are broken, because KeyError: the environment variable"
            " 'NO_SUCH' is not set (defs.py:5)"
        ),
    ),
    "a variable before another error": (
        "import os\ntry: os.environ['NO_SUCH']\nexcept KeyError: raise ValueError('x')",
        (
            "ValueError: x, because KeyError: the environment variable 'NO_SUCH' is not set"
            " (defs.py:2)"
        ),
    ),
    "a variable that is None": (
        "import os\nHOSTS = os.getenv('NO_SUCH').split(',')",
        f"AttributeError: 'NoneType' object has no attribute 'split': {NONE} (defs.py:2)",
    ),
    "a variable that is None, by its name": (
        "import os\nPORT = os.getenv('NO_SUCH')\n\nlen(PORT)",
        f"TypeError: object of type 'NoneType' has no len(): {NONE} (defs.py:4)",
    ),
    "a file that another error is raised from": (
        OPENED,
        (
            "ValueError: x, because FileNotFoundError: [Errno 2] No such file or directory:"
            " 'no/such.csv' (defs.py:3)"
        ),
    ),
    "a message without end": (
        SLOW.format("__str__(self)", "Slow"),
        "Slow: <its message cannot be had: __str__ does not end> (defs.py:5)",
    ),
    "attributes without end": (
        SLOW.format("__dir__(self)", "AttributeError('x')"),
        "AttributeError: x (defs.py:5)",
    ),
    "the search path, deleted": (
        "import sys\ndel sys.path\nimport decimal",
        "; the code emptied sys.path (defs.py:2)",
    ),
    "the finders": (
        "import sys\nsys.meta_path.clear()\nimport decimal",
        "; the code emptied sys.meta_path (defs.py:2)",
    ),
    "the finders of paths": (
        "import sys\nsys.path_hooks[:] = []\nsys.path_importer_cache.clear()\nimport decimal",
        "; the code emptied sys.path_hooks (defs.py:2)",
    ),
    "the variables": (
        "import os\nos.environ.clear()\nos.environ['HOME']",
        (
            "KeyError: the environment variable 'HOME' is not set (defs.py:3); "
            "the code emptied os.environ (defs.py:2)"
        ),
    ),
    "other variables": (
        "import os\nos.environ = {}\nos.environ['HOME']",
        "KeyError: 'HOME' (defs.py:3)",
    ),
    "another import": (
        "import builtins\nbuiltins.__import__ = lambda *a, **k: 1 / 0\nimport decimal",
        "ZeroDivisionError: division by zero (defs.py:2)",
    ),
    "other built-in functions": (
        (
            "import builtins\nbuiltins.type = builtins.isinstance = builtins.str = None\n"
            "raise ValueError('x')"
        ),
        "ValueError: x (defs.py:3)",
    ),
    "files that cannot be opened": (
        (
            "import sys\ndef hook(event, args):\n    if event == 'open': raise RuntimeError('no')\n"
            "sys.addaudithook(hook)\nopen('x')"
        ),
        "RuntimeError: no (defs.py:3)",
    ),
    "a variable": (ASKED, "KeyError: the environment variable 'NO_SUCH' is not set (defs.py:3)"),
    "a ring": (RING, "ConnectionError: database is down (defs.py:4)"),
    "itself": ("e = ValueError('x')\ne.__cause__ = e\nraise e", "ValueError: x (defs.py:3)"),
    "a long chain": (LONG, "ValueError: 99999 (defs.py:7)"),
    "a class that lies": (EVIL, "Evil: evil (defs.py:10)"),
    "a text that lies": (TEXT, "Odd: an odd text (defs.py:8)"),
    "arguments": ("a = []\na.append(a)\nraise ValueError(a)", "ValueError: [[...]] (defs.py:3)"),
    "notes": (NOTES, "ValueError: noted (defs.py:5)"),
    "a zip": (ZIPPED, "ValueError: in a zip (defs.py:7)"),
    "exec": (GENERATED, "ValueError: made by exec (defs.py:3)"),
    "decorators": (
        WRAPPED,
        "ValueError: invalid literal for int() with base 10: 'no number' (defs.py:11)",
    ),
    "an assertion": ("x = 1\nassert x == 2", "AssertionError: assert x == 2 (defs.py:2)"),
    "an object": (
        "raise SystemExit({'a': 1})",
        "SystemExit: sys.exit({'a': 1}) was called while the code was imported (defs.py:1)",
    ),
    "memory": ("x = [0] * (1 << 62)", "MemoryError (defs.py:1)"),
    "the search path": (
        "import sys\nsys.path.clear()\nimport decimal",
        (
            "ModuleNotFoundError: No module named 'decimal' (defs.py:3); "
            "the code emptied sys.path (defs.py:2)"
        ),
    ),
    "a built-in": (
        "import builtins\ndel builtins.len\nlen([])",
        (
            "NameError: name 'len' is not defined (defs.py:3); "
            "the code deleted builtins.len (defs.py:2)"
        ),
    ),
    "no recursion": (
        "import sys\nsys.setrecursionlimit(60)\ndef f(n):\n    return n and f(n - 1)\nf(99)",
        "the code called sys.setrecursionlimit(60) (defs.py:2)",
    ),
    "a folder that is gone": (
        "import os\nos.mkdir('x')\nos.chdir('x')\nos.rmdir('../x')\nraise ValueError('y')",
        "ValueError: y (defs.py:5)",
    ),
    "another Python": (
        "import urllib2",
        "urllib2 is a module of Python 2; in Python 3 it is urllib.request",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_told_in_one_line(run, extreme, case):
    source, told = CASES[case]
    problem = run(extreme, source).problem()
    assert (
        problem["summary"].endswith(told)
        if "; " in told or told[0].islower()
        else (problem["summary"] == told)
    )
    assert len(problem["detail"]) < 10_000
    assert problem["missing"] is None


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (GROUP, "ExceptionGroup: all (100000 sub-exceptions): ValueError: 0 and 99999 more"),
        (NESTED, "ExceptionGroup: g (1 sub-exception): ExceptionGroup"),
    ],
)
def test_a_group_of_any_size_is_told(run, newest, source, told):
    problem = run(newest, source).problem()
    assert problem["summary"].startswith(told)
    assert len(problem["detail"]) < 10_000


def test_modules_that_were_thrown_away_are_named(run, extreme):
    source = "import sys\nfrom codeloc import Definitions\nsys.modules.clear()\nd = Definitions()\n"
    problem = run(extreme, source).problem()
    assert problem["summary"].startswith("the code emptied sys.modules (defs.py:3); No Definitions")


def test_code_that_deletes_every_built_in_function_still_gets_an_answer(run, extreme):
    problem = run(extreme, "import builtins\nvars(builtins).clear()\n").problem()
    assert problem["summary"].startswith("the code deleted builtins.")


def test_a_module_that_was_removed_from_python_is_said_to_be(run, newest):
    asked = [newest, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    here = subprocess.check_output(asked, text=True).strip()
    assert run(newest, "import distutils\n").problem()["summary"] == (
        "ModuleNotFoundError: No module named 'distutils' (defs.py:1); distutils was a module of"
        f" Python's own until 3.12 removed it, and this is {here}; setuptools brings one, and"
        " shutil and subprocess replace most of it"
    )


def test_a_file_that_hides_a_standard_module_is_named(run, code, extreme):
    (code / "random.py").write_text("")
    problem = run(extreme, "import tempfile\n").problem()
    assert problem["summary"].endswith("; random.py hides the standard module random: rename it")
    assert problem["missing"] is None
    alone = run(extreme, "import tempfile\n", name="random.py").problem()
    assert alone["summary"].endswith("; random.py hides the standard module random: rename it")


def test_a_file_that_fails_where_python_imports_it_is_named(run, code, extreme):
    for text in ("print 'x'\n", "raise ValueError('mine')\n"):
        (code / "random.py").write_text(text)
        problem = run(extreme, "import tempfile\n").problem()
        assert problem["summary"].endswith(
            "(random.py:1); random.py hides the standard module random: rename it"
        )


def test_a_folder_of_the_users_own_is_not_to_be_installed(run, code, extreme):
    (code / "etl").mkdir()
    (code / "etl" / "load.py").touch()
    problem = run(extreme, "import etl.extract\n").problem()
    assert problem["missing"] is None
    assert problem["summary"] == (
        "ModuleNotFoundError: No module named 'etl.extract' (defs.py:1); etl is the folder etl"
        " here: correct what is imported from it, or rename the folder if a package etl is meant"
    )


def test_an_end_of_the_process_in_a_message_is_told_too(run, code, extreme):
    source = "import os\nclass E(Exception):\n    def __str__(self): os._exit(4)\nraise E\n"
    runner = run(extreme, source)
    assert runner.wait() == 4
    assert runner.output["stderr"].decode().startswith("os._exit(4) was called:\n")


def test_a_file_that_hides_an_installed_package_is_named(run, code, environment, newest):
    python, packages = environment(newest)
    (packages / "pandas").mkdir()
    (packages / "pandas" / "__init__.py").write_text("class DataFrame: ...\n")
    problem = run(python, "import pandas\npandas.DataFrame()\n", name="pandas.py").problem()
    assert problem["summary"] == (
        "AttributeError: module 'pandas' has no attribute 'DataFrame' (pandas.py:2); pandas.py"
        f" hides the installed package pandas ({packages / 'pandas'}): rename it"
    )


@pytest.mark.parametrize("source", ["import helper\n", "import other\n"])
def test_files_that_import_each_other_are_named_and_nothing_is_to_be_installed(
    run, code, extreme, source
):
    (code / "helper.py").write_text("from other import first\nsecond = 2\n")
    (code / "other.py").write_text("from helper import second\nfirst = 1\n")
    problem = run(extreme, source).problem()
    assert " import each other: move what both need into a third file" in problem["summary"]
    assert "helper.py" in problem["summary"]
    assert problem["missing"] is None


def test_the_end_of_a_process_leaves_the_line_that_ended_it(run, code, extreme):
    runner = run(extreme, "import os\ndef leave():\n    os._exit(3)\nleave()\n")
    assert runner.wait() == 3
    assert runner.output["stderr"].decode().splitlines() == [
        "os._exit(3) was called:",
        f'  File "{code / "defs.py"}", line 3 in leave',
        f'  File "{code / "defs.py"}", line 4 in <module>',
    ]


def test_a_forked_process_ends_without_a_word(run, extreme):
    source = (
        "import os, warnings\nwarnings.simplefilter('ignore')\n"
        "child = os.fork()\nif not child: os._exit(0)\nos.waitpid(child, 0)\nraise ValueError\n"
    )
    runner = run(extreme, source)
    assert runner.problem()["summary"] == "ValueError (defs.py:6)"
    assert runner.stop() == 0
    assert runner.output["stderr"] == b""


def test_the_users_own_line_stands_before_the_traceback_of_a_library(run, code, extreme):
    problem = run(extreme, "import json\n\njson.loads('{')\n").problem()
    assert problem["detail"].startswith(
        f"File \"{code / 'defs.py'}\", line 3\n  json.loads('{{')\n"
    )


ENDLESS = """
import itertools
from codeloc import Definitions, asset
@asset
def orders(): ...
defs = Definitions(assets=itertools.repeat(orders))
"""
WIDE = """
from codeloc import asset
held = ["x"]
for _ in range(40): held = [held, held]
@asset(metadata={"m": held})
def orders(): ...
"""
OWN = """
from codeloc import asset
held = []
held.append(held)
@asset(metadata={"m": held})
def orders(): ...
"""
LARGE = "from codeloc import asset\n@asset(metadata={'m': 'x' * 2_000_000})\ndef orders(): ...\n"
DIGITS = "from codeloc import asset\n@asset(metadata={'m': 10 ** 100_000})\ndef orders(): ...\n"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (ENDLESS, "assets: more than 500000 items: does it ever end?"),
        (WIDE, "metadata['m']: holds more than 100000 values"),
        (OWN, "metadata['m']: nested more than 50 deep"),
        (LARGE, "metadata['m']: longer than 1000000 characters: 2000000"),
        (DIGITS, "metadata['m']: an integer of more than 63 bits: give it as a str"),
    ],
)
def test_definitions_without_bounds_are_refused_with_what_is_unbounded(run, extreme, source, told):
    assert told in run(extreme, source).problem()["summary"]


def test_a_source_line_is_told_in_the_coding_that_its_file_declares(start, code, extreme):
    file = code / "defs.py"
    source = "# coding: latin-1\ndef f():\n    raise ValueError('café'); 'naïve'\nf()\n"
    file.write_bytes(source.encode("latin-1"))
    problem = start(extreme, file).problem()
    assert problem["summary"] == "ValueError: café (defs.py:3)"
    shown = [line.strip() for line in problem["detail"].splitlines() if "naïve" in line]
    assert shown[0] == "raise ValueError('café'); 'naïve'"
    assert "\ufffd" not in problem["detail"]
