"""Every message that says why something did not work, whole, beside the input that makes it.

To add one: an entry of CASES, its files and the line that it is to give. The folder of the case
is written as PROJECT. All of them are loaded by one `codelocd check`, the commands of COMMANDS
are run one by one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import commands
from tests.end_to_end.daemons import CACHE, failed

DEADLINE = 300.0


@dataclass(frozen=True)
class Case:
    """`files` by name; the location is `defs.py`, or what `table` says of it in codelocd.toml."""

    files: dict[str, str]
    says: str
    table: str = 'python_file = "{folder}/defs.py"\nworking_directory = "{folder}"'
    shows: str = ""
    """What the detail begins with."""


def one(source: str, says: str, shows: str = "") -> Case:
    return Case({"defs.py": source}, says, shows=shows)


CASES = {
    # --- variables ------------------------------------------------------------------------------
    "variable": one(
        'import os\nURL = os.environ["SHOP_URL"]\n',
        "load: KeyError: the environment variable 'SHOP_URL' is not set (defs.py:2); set it in"
        ' [location.variable] of ROOT/codelocd.toml: env = { SHOP_URL = "VALUE" }',
        'File "PROJECT/defs.py", line 2\n  URL = os.environ["SHOP_URL"]\n\nTraceback',
    ),
    "variable-of-a-library": one(
        "raise ValueError('Environment variable \"SHOP_KEY\" not set')\n",
        'load: ValueError: Environment variable "SHOP_KEY" not set (defs.py:1); set it in'
        ' [location.variable-of-a-library] of ROOT/codelocd.toml: env = { SHOP_KEY = "VALUE" }',
    ),
    # --- imports --------------------------------------------------------------------------------
    "a.package": one(
        "import pandas\n",
        "load: ModuleNotFoundError: No module named 'pandas' (defs.py:1); write in"
        ' [location."a.package".environment] of ROOT/codelocd.toml: packages = ["pandas"]',
    ),
    "another-name": one(
        "import yaml\n",
        "load: ModuleNotFoundError: No module named 'yaml' (defs.py:1); write in"
        ' [location.another-name.environment] of ROOT/codelocd.toml: packages = ["pyyaml"]',
    ),
    "many-packages": one(
        "from google.cloud import bigquery\n",
        "load: ModuleNotFoundError: No module named 'google' (defs.py:1); write in"
        " [location.many-packages.environment] of ROOT/codelocd.toml:"
        ' packages = ["google-cloud-bigquery"]',
    ),
    "requirements": Case(
        {"defs.py": "import pandas\n", "requirements.txt": "# nothing yet\n"},
        "load: ModuleNotFoundError: No module named 'pandas' (defs.py:1);"
        " add the line pandas to PROJECT/requirements.txt",
    ),
    "listed": Case(
        {"defs.py": "import pandas\n", "requirements.txt": "pandas; python_version < '3'\n"},
        "load: ModuleNotFoundError: No module named 'pandas' (defs.py:1); pandas is listed in"
        ' PROJECT/requirements.txt only where python_version < "3"',
    ),
    "script": one(
        "# /// script\n# dependencies = []\n# ///\nimport pandas\n",
        "load: ModuleNotFoundError: No module named 'pandas' (defs.py:4);"
        ' add "pandas" to the dependencies at the top of PROJECT/defs.py',
    ),
    "removed": Case(
        {"defs.py": "import urllib2\n"},
        "load: ModuleNotFoundError: No module named 'urllib2' (defs.py:1); urllib2 is a module of"
        " Python 2; in Python 3 it is urllib.request",
    ),
    "hidden": Case(
        {"defs.py": "import tempfile\n", "random.py": ""},
        "load: ImportError: cannot import name 'Random' from 'random' (PROJECT/random.py)"
        " (defs.py:1); random.py hides the standard module random: rename it",
    ),
    "circle": Case(
        {
            "defs.py": "import helper\n",
            "helper.py": "from other import first\nsecond = 2\n",
            "other.py": "from helper import second\nfirst = 1\n",
        },
        "load: ImportError: cannot import name 'second' from partially initialized module 'helper'"
        " (most likely due to a circular import) (PROJECT/helper.py) (other.py:1); helper.py and"
        " other.py import each other: move what both need into a third file, or one of the imports"
        " into the function that uses it",
    ),
    "relative": one(
        "from . import other\n",
        "load: ImportError: attempted relative import with no known parent package (defs.py:1);"
        " defs.py is loaded as a file, which is in no package; name its module instead (module,"
        " python_module, -m), or import absolutely",
    ),
    "elsewhere": Case(
        {"defs.py": "import shared\n", "lib/shared.py": ""},
        "load: ModuleNotFoundError: No module named 'shared' (defs.py:1); PROJECT/lib has 'shared':"
        " set working_directory to that folder (-d PROJECT/lib)",
    ),
    # --- what code raises -----------------------------------------------------------------------
    "syntax": one("x = = 1\n", "load: SyntaxError: invalid syntax (defs.py:1)"),
    "generated": one(
        '\neval("1 +")\n', "load: SyntaxError: invalid syntax in <string>, line 1 (defs.py:2)"
    ),
    "file": one(
        "open('no/such.csv')\n",
        "load: FileNotFoundError: [Errno 2] No such file or directory: 'no/such.csv' (defs.py:1)",
    ),
    "library": one(
        "import json\njson.loads('{')\n",
        "load: JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2"
        " (char 1) (defs.py:2)",
        "File \"PROJECT/defs.py\", line 2\n  json.loads('{')\n\nTraceback",
    ),
    "assertion": one("x = 1\nassert x == 2\n", "load: AssertionError: assert x == 2 (defs.py:2)"),
    "ring": one(
        "last = ValueError('down')\nother = KeyError('x')\n"
        "last.__cause__, other.__cause__ = other, last\nraise last\n",
        "load: ValueError: down (defs.py:4)",
    ),
    "group": one(
        "raise ExceptionGroup('all', [ValueError('one'), TypeError('two')])\n",
        "load: ExceptionGroup: all (2 sub-exceptions): ValueError: one and 1 more (defs.py:1)",
    ),
    "exit": one(
        "import sys\nsys.exit(2)\n",
        "load: SystemExit: sys.exit(2) was called while the code was imported (defs.py:2)",
    ),
    "end": one(
        "import os\nos._exit(0)\n",
        "crash: the runner exited with status 0 while it loaded the code:"
        " os._exit was called (defs.py:2)",
    ),
    "segfault": one(
        "import ctypes\nctypes.string_at(0)\n",
        "crash: the runner was killed by SIGSEGV while it loaded the code (defs.py:2)",
    ),
    "hang": Case(
        {"defs.py": "import time\ndef wait():\n    time.sleep(600)\nwait()\n"},
        "load: the code did not finish loading within 1 s (start_timeout) (defs.py:3)",
        'python_file = "{folder}/defs.py"\nworking_directory = "{folder}"\nstart_timeout = "1s"',
        'MainThread:\nFile "PROJECT/defs.py", line 4, in <module>\n  wait()\n'
        'File "PROJECT/defs.py", line 3, in wait\n  time.sleep(600)',
    ),
    # --- what code takes away ---------------------------------------------------------------------
    "search-path": one(
        "import sys\nsys.path.clear()\nimport decimal\n",
        "load: ModuleNotFoundError: No module named 'decimal' (defs.py:3); the code emptied"
        " sys.path (defs.py:2)",
    ),
    "built-in": one(
        "import builtins\ndel builtins.len\nlen([])\n",
        "load: NameError: name 'len' is not defined (defs.py:3); the code deleted builtins.len"
        " (defs.py:2)",
    ),
    # --- definitions ------------------------------------------------------------------------------
    "none": one(
        "x = 1\n",
        "load: No Definitions found in module 'defs' (PROJECT/defs.py). Looked for, at module"
        " scope: a Definitions object or @repository functions of codeloc, or Dagster's"
        " Definitions, repositories, job, graph or assets. Found instead: x (int). Add"
        " defs = Definitions(...), or name an attribute",
    ),
    "endless": one(
        "import itertools\nfrom codeloc import Definitions, asset\n@asset\ndef orders(): ...\n"
        "defs = Definitions(assets=itertools.repeat(orders))\n",
        "load: DefinitionsError: Definitions (PROJECT/defs.py:5): assets: more than 500000 items:"
        " does it ever end? (defs.py:5)",
    ),
    "itself": one(
        "from codeloc import asset\nheld = []\nheld.append(held)\n"
        "@asset(metadata={'held': held})\ndef orders(): ...\n",
        "load: DefinitionsError: asset \"orders\" (PROJECT/defs.py:4): metadata['held']: nested"
        " more than 50 deep (defs.py:4)",
    ),
    # --- environments -----------------------------------------------------------------------------
    "no-package": Case(
        {"defs.py": "", "requirements.txt": "alhpa\n"},
        "environment: no such package: alhpa; check its name, or the index",
        shows="error: No solution found when resolving dependencies",
    ),
    "no-version": Case(
        {"defs.py": "", "requirements.txt": "alpha>=2\n"},
        "environment: no version of alpha fits alpha>=2; change the requirement",
    ),
    "another-hash": Case(
        {"defs.py": "", "requirements.txt": f"# pinned\nalpha==1.0 --hash=sha256:{'0' * 64}\n"},
        "environment: PROJECT/requirements.txt, line 2: no file of alpha 1.0 that there is has a"
        " hash that stands there; pin its version and update its hashes, or find out why the file"
        " changed",
    ),
    "no-hash": Case(
        {"defs.py": "", "requirements.txt": "--require-hashes\nalpha==1.0\n"},
        "environment: PROJECT/requirements.txt, line 2: alpha has no hash, line 1 asks for one;"
        " where one requirement has a hash, each needs one",
    ),
    "settings-of-uv": Case(
        {"defs.py": "", "requirements.txt": "alpha\n", "uv.toml": "# caf\xe9\n"},
        "environment: PROJECT/uv.toml is not UTF-8 text, and has settings of uv, which needs that;"
        " save it as UTF-8",
    ),
    # --- what the config names --------------------------------------------------------------------
    "no-module": Case(
        {},
        "load: no module 'nosuch' in the working directory PROJECT or in the environment"
        " ENVIRONMENT; correct the name, or set working_directory",
        'module = "nosuch"\nworking_directory = "{folder}"',
    ),
    "no-attribute": Case(
        {"defs.py": "x = 1\n"},
        "load: no attribute 'defs' in module 'defs' (PROJECT/defs.py); it has: x (int)",
        'python_file = "{folder}/defs.py"\nworking_directory = "{folder}"\nattribute = "defs"',
    ),
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """The folder of the project, and what one `check` of all cases said."""
    root = tmp_path_factory.mktemp("messages")
    tables = []
    for name, case in CASES.items():
        folder = root / name
        for file, text in case.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, "latin-1" if name == "settings-of-uv" else "utf-8")
        folder.mkdir(exist_ok=True)
        key = f'"{name}"' if "." in name else name
        tables.append(f"[location.{key}]\n{case.table.format(folder=folder)}\n")
    make_wheel(root / "wheels", "alpha")
    tables.append('[index]\nfind_links = ["wheels"]\n')
    (root / "codelocd.toml").write_text("\n".join(tables))
    done = codelocd(root, "check", "--json")
    return root, {each["name"]: each for each in json.loads(done.stdout)["locations"]}


def make_wheel(folder: Path, name: str) -> None:
    """An empty package, version 1.0."""
    folder.mkdir()
    info = f"{name}-1.0.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def codelocd(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = folder / ".home"
    (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "CONDA_PREFIX", "CODELOCD_SOCKET")
    }
    environ |= {
        "XDG_RUNTIME_DIR": str(home / "run"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_DATA_HOME": str(CACHE),
        "NO_COLOR": "1",
    }
    return commands.run(arguments, cwd=folder, environ=environ)


@pytest.mark.parametrize("name", CASES)
def test_a_location_that_does_not_load_says_exactly(checked, name):
    root, locations = checked
    problem = locations[name]["problem"]
    environment = (locations[name]["environment"] or {}).get("path")

    def plain(text: str) -> str:
        text = text.replace(str(root / name), "PROJECT").replace(str(root), "ROOT")
        return text.replace(environment, "ENVIRONMENT") if environment else text

    assert plain(f"{problem['kind']}: {problem['summary']}") == CASES[name].says
    assert plain(problem["detail"]).startswith(CASES[name].shows)


SHELL = shutil.which("sh")
ORDERS = {"codelocd.toml": '[location.orders]\npython_file = "defs.py"\n', "defs.py": ""}
WITH_FILE = '[location.a]\npython_file = "defs.py"\nenv_file = ".env"\n'
UNKNOWN = """\
[location.a]
python_file = "defs.py"
reload = "sometimes"
restrat = "never"
[location.x]
[location.y]
python_file = "defs.py"
module = "m"
[location."a/b"]
python_file = "defs.py"
[locaton.b]
"""
NUL = '[location.e]\npython_file = "defs.py"\nenv = { A = "x\\u0000y" }\n'
ONE_FILE = "load_from:\n  - python_file: defs.py\n"

COMMANDS = [
    (
        ["check", "-f", "a.py", "--with", "a b"],
        {"a.py": ""},
        2,
        ['command line: --with "a b" is no requirement; write --with NAME'],
    ),
    # --- what is not there ------------------------------------------------------------------------
    (["statsu"], {}, 2, ["no such command 'statsu'; did you mean \"status\"?"]),
    (
        ["exec", "ordres", "--", "python", "-V"],
        ORDERS,
        4,
        ["there is no location 'ordres'; did you mean \"orders\"?"],
    ),
    (
        ["status"],
        ORDERS,
        3,
        ["no dev daemon for PROJECT; --user or --system reach the others"],
    ),
    (
        ["logs"],
        ORDERS,
        3,
        ["no dev daemon for PROJECT; --user or --system reach the others"],
    ),
    # --- Dagster's formats ------------------------------------------------------------------------
    (
        ["check"],
        {"pyproject.toml": '[tool.dg]\ndirectory_type = "workspace"\n', "workspace.yaml": ONE_FILE},
        1,
        [
            (
                "PROJECT/pyproject.toml [tool.dg] lists no location, and PROJECT/workspace.yaml"
                " lists 1 location; to load them: codelocd check -w workspace.yaml"
            )
        ],
    ),
    (
        ["config", "validate"],
        {"pyproject.toml": '[tool.dg]\ndirectory_type = "workspace"\n', "workspace.yaml": ONE_FILE},
        1,
        [
            (
                "PROJECT/pyproject.toml [tool.dg] lists no location, and PROJECT/workspace.yaml"
                " lists 1 location; to check that: codelocd config validate workspace.yaml"
            )
        ],
    ),
    (
        ["config", "validate"],
        {"workspace.yaml": "load_from:\n  - python_fil: a.py\n  - python_file: gone.py\n"},
        2,
        [
            (
                "PROJECT/workspace.yaml:2: load_from[0].python_fil: unknown key; did you mean"
                ' "python_file"?'
            ),
            (
                'PROJECT/workspace.yaml:3: load_from[1]: location "gone.py", python_file: no such'
                " file: PROJECT/gone.py; create it, or correct the path"
            ),
        ],
    ),
    # --- exec -------------------------------------------------------------------------------------
    (
        ["exec", "orders", "--", "nosuch"],
        ORDERS,
        127,
        [
            (
                "there is no command 'nosuch' in the environment of orders (ENVIRONMENT);"
                " if a package of that name brings it, write in [location.orders.environment] of"
                ' PROJECT/codelocd.toml: packages = ["nosuch"]'
            )
        ],
    ),
    (
        ["exec", "orders", "--", "sh", "-c", "true"],
        ORDERS,
        127,
        [
            (
                f"sh, found as {SHELL}, is not in the environment of orders (ENVIRONMENT);"
                " to run it all the same: codelocd exec --outside orders -- sh -c true"
            )
        ],
    ),
    (
        ["exec", "orders", "--", "/bin/ls"],
        ORDERS,
        126,
        [
            (
                "/bin/ls is not in the environment of orders (ENVIRONMENT);"
                " to run it all the same: codelocd exec --outside orders -- /bin/ls"
            )
        ],
    ),
    # --- config -----------------------------------------------------------------------------------
    (
        ["config", "validate"],
        {"codelocd.toml": UNKNOWN, "defs.py": ""},
        2,
        [
            (
                'PROJECT/codelocd.toml:3: location.a.reload: must not be "sometimes";'
                " valid here: on-change, manual"
            ),
            'PROJECT/codelocd.toml:4: location.a.restrat: unknown key; did you mean "restart"?',
            (
                "PROJECT/codelocd.toml:5: location.x: names no code; add python_file, module or"
                " package"
            ),
            "PROJECT/codelocd.toml:6: location.y: has python_file and module; keep one of them",
            (
                'PROJECT/codelocd.toml:9: location."a/b": is not a name for a location;'
                " use letters, digits, `_`, `-` and `.`, up to 100 of them"
            ),
            'PROJECT/codelocd.toml:11: locaton: unknown key; did you mean "location"?',
        ],
    ),
    (
        ["config", "validate"],
        {"codelocd.toml": "[location.a\n"},
        2,
        [
            (
                "PROJECT/codelocd.toml:1: is not valid TOML: Expected ']' at the end of a table"
                " declaration; correct the syntax there"
            )
        ],
    ),
    (
        ["config", "validate"],
        {"codelocd.toml": NUL, "defs.py": ""},
        2,
        [
            (
                "PROJECT/codelocd.toml:3: location.e.env.A: holds a NUL, which no process can have;"
                " take it out"
            )
        ],
    ),
    (
        ["config", "validate"],
        {"codelocd.toml": WITH_FILE, "defs.py": "", ".env": 'A=1\nB C=2\nD="open\n'},
        2,
        [
            'PROJECT/.env:2: is no assignment; write NAME=value or NAME="value"',
            'PROJECT/.env:3: is no assignment; write NAME=value or NAME="value"',
        ],
    ),
    (
        ["config", "validate"],
        {"codelocd.toml": WITH_FILE, "defs.py": "", ".env": "A=${B:?no}\n"},
        2,
        [
            (
                "PROJECT/.env:1: A: has ${B:?no}, which is no reference; write ${NAME} or"
                " ${NAME:-default}, or single quotes around what stands for itself"
            )
        ],
    ),
]


@pytest.mark.parametrize(("arguments", "files", "status", "says"), COMMANDS)
def test_a_command_that_cannot_be_done_says_exactly(tmp_path, arguments, files, status, says):
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    done = codelocd(tmp_path, *arguments)
    said = re.sub(r"/\S+/environments/[^)]+", "ENVIRONMENT", done.stderr)
    lines = said.replace(str(tmp_path), "PROJECT").splitlines()
    assert sorted(line for line in lines if line.startswith("codelocd: ")) == sorted(
        f"codelocd: {line}" for line in says
    )
    assert done.returncode == status


def test_a_key_that_dagster_passes_over_is_a_warning_with_the_nearest_one(tmp_path):
    table = '[tool.dagster]\nmodule_name = "shop"\nmodulname = "x"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    (tmp_path / "shop.py").write_text("")
    done = codelocd(tmp_path, "config", "validate")
    where = f"{tmp_path}/pyproject.toml"
    assert done.stderr == (
        f"{where}:3: tool.dagster.modulname: unknown key; passed over;"
        ' did you mean "module_name"?\n'
    )
    assert (done.stdout, done.returncode) == (f"{where}: valid, 1 location\n", 0)


def test_an_environment_without_dagster_is_told_before_the_load_with_the_line_that_mends_it(
    tmp_path,
):
    (tmp_path / "workspace.yaml").write_text(ONE_FILE)
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "defs.py").write_text("import dagster\n")
    done = codelocd(tmp_path, "check")
    assert done.stdout.splitlines()[0] == (
        "✗ defs.py: environment: the environment has no dagster, which workspace.yaml is for;"
        f" add the line dagster to {tmp_path}/requirements.txt"
    )
    assert done.returncode == 1


PASTED = """
    say --with pandas, or put these lines at the top of defs.py:

    # /// script
    # dependencies = ["pandas"]
    # ///
1 location checked, 1 failed, 0 conflicts
"""


def test_a_file_of_the_command_line_is_told_what_to_paste_and_it_can_be_pasted(tmp_path):
    (tmp_path / "defs.py").write_text("import pandas\n")
    done = codelocd(tmp_path, "check", "-f", "defs.py")
    assert done.stdout.startswith(
        "✗ defs: load: ModuleNotFoundError: No module named 'pandas' (defs.py:1);"
        " say --with pandas, or put these lines at the top of defs.py\n"
    )
    assert done.stdout.endswith(PASTED)


def test_what_a_location_that_gave_up_says_and_what_starts_it(project, dev):
    config = (
        '[location.orders]\npython_file = "orders.py"\n'
        'restart_limit = { count = 1, period = "300s" }\n'
        'backoff = { initial = "1ms", maximum = "1ms" }\n'
    )
    (project / "codelocd.toml").write_text(config)
    (project / "orders.py").write_text("import os\nos._exit(7)\n")
    running = dev()
    entry = running.until("orders", failed)
    what = (
        "the runner exited with status 7 while it loaded the code: os._exit was called"
        " (orders.py:2); gave up after 2 failures within 300 s (restart_limit);"
        " to try again: codelocd start orders"
    )
    assert entry["problem"]["summary"] == what
    shown = " ".join(running.cli("show", "orders").stdout.split())
    assert what in shown, shown


def test_what_a_location_over_its_memory_limit_says(project, dev):
    config = '[location.orders]\npython_file = "orders.py"\nping_interval = "100ms"\n'
    (project / "codelocd.toml").write_text(config + 'memory_limit = "1KiB"\nrestart = "never"\n')
    (project / "orders.py").write_text("from codeloc import Definitions\ndefs = Definitions()\n")
    entry = dev().until("orders", failed)
    assert re.fullmatch(
        r"the runner used [\d.]+ MiB of memory, more than memory_limit = 1\.0 KiB",
        entry["problem"]["summary"],
    )


PRUNED = """\
KEY PYTHON SIZE LAST USED WHY PATH
HEX VERSION SIZE TIME ago unused for too long STORE/environments/FOLDER
1 environment would be removed, SIZE freed
"""


def test_env_prune_says_exactly_what_goes_and_why(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "CACHE", tmp_path / "data")
    (tmp_path / "requirements.txt").touch()
    assert codelocd(tmp_path, "env", "build", "-r", "requirements.txt").returncode == 0
    assert codelocd(tmp_path, "env", "prune").stdout == "0 environments removed, 0 B freed\n"

    def pruned(*options: str) -> str:
        said = codelocd(tmp_path, "env", "prune", "--idle", "0", *options).stdout
        said = said.replace(str(tmp_path / "data" / "codelocd"), "STORE")
        said = re.sub(r"(?<=environments/)\S+", "FOLDER", said)
        said = re.sub(r"^[0-9a-f]{12} +\d+\.\d+\.\d+", "HEX VERSION", said, flags=re.MULTILINE)
        said = re.sub(r"[\d.]+ [KM]iB", "SIZE", said)
        said = re.sub(r"\S+ ago", "TIME ago", said)
        return re.sub(" +", " ", said)

    assert pruned("--dry-run") == PRUNED
    assert pruned() == PRUNED.replace("would be ", "")


def test_a_location_that_stays_stopped_is_told_at_the_next_start_and_in_show(project, dev):
    for name in ("orders", "sales"):
        (project / f"{name}.py").write_text(
            "from codeloc import Definitions\ndefs = Definitions()\n"
        )
    first = dev("-f", "orders.py", "-f", "sales.py")
    first.until_serving("orders", "sales")
    assert first.cli("stop", "orders").returncode == 0
    left = "as codelocd stop left it; to start it: codelocd start orders"
    assert f"Serving: nothing, {left}\n" in first.cli("show", "orders").stdout
    first.stop()
    second = dev("-f", "orders.py", "-f", "sales.py")
    assert second.until_printed("orders ●") == f"orders ● stopped, {left}"
    assert second.cli("start", "orders").returncode == 0


def test_a_config_that_is_not_applied_a_stop_by_call_and_what_a_daemon_left_say_exactly(
    project, dev
):
    (project / "orders.py").write_text(
        'from codeloc import Definitions\nprint("hello")\ndefs = Definitions()\n'
    )
    config = project / "codelocd.toml"
    config.write_text('[location.orders]\npython_file = "orders.py"\n')
    running = dev()
    running.until_serving("orders")
    refused = running.cli("call", "orders", "stop")
    assert (refused.returncode, refused.stderr) == (
        2,
        "codelocd: call only asks; `codelocd stop orders` (method stop) stops a location\n",
    )
    config.write_text('[location.orders]\npython_file = "orders.py"\nmodul = "x"\n')
    running.until_printed("unknown key")
    status = running.cli("status")
    assert status.returncode == 1
    assert status.stdout.splitlines()[-1] == (
        f"config not applied: {config}:3: location.orders.modul: unknown key;"
        ' did you mean "module"?'
    )
    running.stop()
    left = running.cli("logs")
    note = rf"no dev daemon runs for {re.escape(str(project))}; this is what it left at \d{{4}}-"
    assert re.match(note, left.stderr)
    assert left.stdout.endswith("orders | hello\n")
