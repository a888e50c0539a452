"""codelocd.toml: every key, and every mistake in it."""

from __future__ import annotations

import pytest

from codeloc_envs import Request
from codelocd.model import (
    Backoff,
    DaemonSettings,
    LocationSpec,
    Policy,
    RestartLimit,
    Target,
)

EVERY_KEY = """
    [daemon]
    state_dir = "state"
    store = "/srv/store"
    socket = "run/control.sock"
    socket_group = "staff"
    log_format = "json"

    [location.sales]
    python_file = "sales/definitions.py"
    attribute = "defs"
    working_directory = "sales"
    env = { REGION = "eu", SHARDS = 3, DB_URL = { from_env = "SALES_DB_URL" } }
    env_file = "sales/.env"
    reload = "manual"
    watch = ["**/*.sql"]
    ignore = ["scratch/**"]
    restart = "never"
    start_timeout = "3min"
    build_timeout = "1h"
    stop_timeout = 0
    ping_interval = "1.5s"
    ping_timeout = 20
    backoff = { initial = "200ms", factor = 3, maximum = "2min", jitter = 0.5 }
    healthy_after = "2min"
    restart_limit = { count = 2, period = "10min" }
    start_method = "spawn"
    memory_limit = "2GiB"

    [location.sales.environment]
    python = ">=3.9,<3.13"
    packages = ["pandas>=2"]
    requirements = ["requirements.txt"]
"""


def test_every_key_arrives_with_absolute_paths(folder):
    folder.write("sales/.env", "TOKEN=secret\nREGION=us\n")
    folder.write("codelocd.toml", EVERY_KEY)
    config = folder.load("codelocd.toml", {"SALES_DB_URL": "postgres://"})
    root = folder.path
    assert config.daemon == DaemonSettings(
        root / "state", root.__class__("/srv/store"), root / "run/control.sock", "staff", "json"
    )
    assert config.files == (root / "codelocd.toml", root / "sales/.env")
    assert config.notes == ()
    assert config.locations == (
        LocationSpec(
            name="sales",
            target=Target("python_file", str(root / "sales/definitions.py")),
            working_directory=root / "sales",
            declared_in=f"{root}/codelocd.toml [location.sales]",
            attribute="defs",
            variables={
                "TOKEN": "secret",
                "REGION": "eu",
                "SHARDS": "3",
                "DB_URL": "postgres://",
            },
            env_file=root / "sales/.env",
            environment=Request(
                python=">=3.9,<3.13",
                packages=("pandas>=2",),
                requirements=(root / "requirements.txt",),
            ),
            watch=("**/*.sql",),
            ignore=("scratch/**",),
            policy=Policy(
                restart="never",
                reload="manual",
                start_method="spawn",
                start_timeout=180,
                build_timeout=3600,
                stop_timeout=0,
                ping_interval=1.5,
                ping_timeout=20,
                backoff=Backoff(0.2, 3, 120, 0.5),
                healthy_after=120,
                restart_limit=RestartLimit(2, 600),
                memory_limit=2 * 1024**3,
            ),
        ),
    )


def test_what_is_left_out_has_the_defaults_of_the_model(folder):
    location = folder.one("codelocd.toml", '[location.a]\nmodule = "a.b"')
    assert location == LocationSpec(
        name="a",
        target=Target("module", "a.b"),
        working_directory=folder.path,
        declared_in=f"{folder.path}/codelocd.toml [location.a]",
    )


def test_the_activated_environment_never_serves_a_codelocd_toml(folder):
    location = folder.one("codelocd.toml", '[location.a]\npackage = "a"')
    assert location.target == Target("package", "a")
    assert location.activated_allowed is False


@pytest.mark.parametrize(
    ("table", "request_of"),
    [
        (
            'project = "."\nextras = ["x"]\ngroups = ["dev"]',
            lambda root: Request(project=root, extras=("x",), groups=("dev",)),
        ),
        ('lock = "uv.lock"', lambda root: Request(lock=root / "uv.lock")),
        ('path = ".venv"', lambda root: Request(path=root / ".venv")),
        ('python = "bin/python"', lambda root: Request(python=f"{root}/bin/python")),
        ("", lambda _root: Request()),
    ],
)
def test_an_environment_is_described_in_one_of_several_ways(folder, table, request_of):
    text = f'[location.a]\nmodule = "a"\n[location.a.environment]\n{table}'
    folder.path.joinpath("codelocd.toml").write_text(text)
    [location] = folder.load("codelocd.toml").locations
    assert location.environment == request_of(folder.path)


def test_the_same_tables_stand_under_tool_codelocd_in_pyproject_toml(folder):
    location = folder.one("pyproject.toml", '[tool.codelocd.location.a]\nmodule = "a"')
    assert location.declared_in == f"{folder.path}/pyproject.toml [tool.codelocd.location.a]"


def test_an_env_file_overrides_neither_env_nor_real_variables(folder):
    folder.write("a.env", "FROM_ENV=file\nREAL=file\nOWN=file\n")
    text = '[location.a]\nmodule = "a"\nenv_file = "a.env"\nenv = { FROM_ENV = "env" }'
    location = folder.one("codelocd.toml", text, {"REAL": "real"})
    assert location.variables == {"FROM_ENV": "env", "OWN": "file"}


def test_a_tilde_is_the_users_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    location = folder.one("codelocd.toml", '[location.a]\npython_file = "~/defs.py"')
    assert location.target == Target("python_file", "/home/ada/defs.py")


def test_a_file_without_locations_is_a_config_without_locations(folder):
    folder.write("codelocd.toml", "")
    assert folder.load("codelocd.toml").locations == ()


TABLES = "daemon, dagster, notify, engine, metrics, telemetry, ui, runs, index, defaults, location"
MISTAKES = [
    ("daemn = 1", '1: daemn: unknown key; did you mean "daemon"?'),
    (
        "zebra = 1",
        f"1: zebra: unknown key; valid here: {TABLES}",
    ),
    ("daemon = 3", "1: daemon: must be a table, not a whole number; write a table"),
    ("[location]\na = 3", "2: location.a: must be a table, not a whole number; write a table"),
    (
        '[daemon]\nlog_format = "xml"',
        '2: daemon.log_format: must not be "xml"; valid here: auto, console, json',
    ),
    (
        "[location.a]",
        "1: location.a: names no code; add python_file, module or package",
    ),
    (
        '[location.a]\nmodule = "a"\npackage = "a"',
        "1: location.a: has module and package; keep one of them",
    ),
    (
        '[location."a b"]\nmodule = "a"',
        (
            '1: location."a b": is not a name for a location; '
            "use letters, digits, `_`, `-` and `.`, up to 100 of them"
        ),
    ),
    (
        "[location.a]\nmodule = 3",
        '2: location.a.module: must be a string, not a whole number; write it in quotes: "3"',
    ),
    (
        '[location.a]\nmodule = ""',
        "2: location.a.module: is empty; give it a value or leave it out",
    ),
    (
        '[location.a]\nmodul = "a"\nmodule = "a"',
        '2: location.a.modul: unknown key; did you mean "module"?',
    ),
    (
        '[location.a]\nmodule = "a"\nwatch = "x"',
        "3: location.a.watch: must be a list, not a string; write a list",
    ),
    (
        '[location.a]\nmodule = "a"\nreload = "on-chnage"',
        '3: location.a.reload: must not be "on-chnage"; did you mean "on-change"?',
    ),
    (
        '[location.a]\nmodule = "a"\nstart_timeout = "3m"',
        (
            "3: location.a.start_timeout: is neither a number nor a number with one of "
            'ms, s, min, h, d; write seconds, or text such as "100ms", "30s", "5min", "1h"'
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nstart_timeout = 0',
        "3: location.a.start_timeout: must be more than 0, not 0; choose another value",
    ),
    (
        '[location.a]\nmodule = "a"\nmemory_limit = "2GX"',
        (
            "3: location.a.memory_limit: is neither a number nor a number with one of "
            "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB; "
            'write bytes, or text such as "512MiB", "2GiB"'
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nbackoff = { jitter = 2 }',
        "3: location.a.backoff.jitter: must be at most 1, not 2; choose another value",
    ),
    (
        '[ui]\nauth = "proxy"',
        "1: ui: has auth without a socket; add socket: any user reaches a port",
    ),
    (
        '[ui]\nhost = "0.0.0.0"',
        "1: ui: listens at 0.0.0.0 for other machines; say in allowed_hosts how they call it",
    ),
    (
        '[ui]\nsocket = "p.sock"\nport = 4300',
        "1: ui: has a socket and a port; remove one of them",
    ),
    (
        '[location.a]\nmodule = "a"\nbackoff = { initial = "2min" }',
        "3: location.a.backoff: has a maximum below initial; raise maximum or lower initial",
    ),
    (
        '[location.a]\nmodule = "a"\nrestart_limit = { count = true }',
        (
            "3: location.a.restart_limit.count: must be a whole number, not true or false; "
            "write a whole number"
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nenv = { A = 1.10 }',
        (
            "3: location.a.env.A: is neither a string nor a whole number nor { from_env } nor "
            '{ credential }; write it in quotes, or as { from_env = "NAME" }'
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nenv = { A = { from_evn = "B" } }',
        (
            "3: location.a.env.A: is neither a string nor a whole number nor { from_env } nor "
            '{ credential }; write it in quotes, or as { from_env = "NAME" }'
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nenv = { A = { from_env = "UNSET" } }',
        (
            "3: location.a.env.A: takes UNSET, which is not set; "
            "set UNSET where codelocd starts, or write a value"
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nenv = { A = { credential = "../shadow" } }',
        ("3: location.a.env.A: is not a name for a credential; name it as LoadCredential= does"),
    ),
    (
        '[location.a]\nmodule = "a"\nenv = { 1A = "x" }',
        (
            "3: location.a.env.1A: is not a name for a variable; "
            "use letters, digits and `_`, no digit first"
        ),
    ),
    (
        '[location.a]\nmodule = "a"\nenv_file = "a.env"',
        "3: location.a.env_file: no such file: a.env; create it or remove the key",
    ),
    (
        '[location.a]\nmodule = "a"\n[location.a.environment]\npackages = ["x"]\nlock = "uv.lock"',
        "3: location.a.environment: has packages beside lock; keep one of them",
    ),
    (
        '[location.a]\nmodule = "a"\n[location.a.environment]\npath = ".venv"\npython = "3.12"',
        (
            "3: location.a.environment: has python beside path, which brings its own; "
            "remove one of them"
        ),
    ),
    (
        '[location.a]\nmodule = "a"\n[location.a.environment]\nextras = ["x"]',
        (
            "4: location.a.environment.extras: belongs to a project or a lock; "
            "add project or lock, or remove it"
        ),
    ),
    (
        '[location.a]\nmodule = "a"\n[location.a.environment]\npython = 3.12',
        (
            "4: location.a.environment.python: must be a string, not a number; "
            'write it in quotes: "3.12"'
        ),
    ),
    (
        "[location.a",
        (
            "1: is not valid TOML: Expected ']' at the end of a table declaration; "
            "correct the syntax there"
        ),
    ),
    (
        '[location.a]\nmodule = "a"\n[location.a]\nmodule = "b"',
        "3: is not valid TOML: Cannot declare ('location', 'a') twice; correct the syntax there",
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_remedy(folder, text, problem):
    folder.write("codelocd.toml", text)
    assert folder.problems("codelocd.toml") == [f"codelocd.toml:{problem}"]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(folder):
    folder.write("broken.env", "A=1\nno assignment\n")
    folder.write(
        "codelocd.toml",
        """\
        [defaults]
        env_file = "missing.env"
        [location.a]
        modul = "a"
        env = { A = { from_env = "UNSET" } }
        [location.b]
        module = "b"
        env_file = "broken.env"
        """,
    )
    assert folder.problems("codelocd.toml") == [
        'broken.env:2: is no assignment; write NAME=value or NAME="value"',
        (
            "codelocd.toml:2: defaults.env_file: no such file: missing.env; "
            "create it or remove the key"
        ),
        "codelocd.toml:3: location.a: names no code; add python_file, module or package",
        'codelocd.toml:4: location.a.modul: unknown key; did you mean "module"?',
        (
            "codelocd.toml:5: location.a.env.A: takes UNSET, which is not set; "
            "set UNSET where codelocd starts, or write a value"
        ),
    ]


def test_no_problem_prints_the_value_of_a_variable(folder):
    folder.write("codelocd.toml", '[location.a]\nmodule = "a"\nenv = { A = ["hunter2"] }')
    [line] = folder.problems("codelocd.toml")
    assert "hunter2" not in line


def test_a_limit_of_runs_that_holds_for_nothing_is_noted(folder) -> None:
    limits = 'locations = { sales = 1, sale = 1 }\njobs = { "sales/nightly" = 1, sales = 1 }\n'
    folder.write("codelocd.toml", f'[location.sales]\nmodule = "sales"\n[runs]\n{limits}')
    sale, job = folder.load("codelocd.toml").notes
    assert sale.startswith("[runs] locations: 'sale' limits nothing: there is no location 'sale'; ")
    assert job == "[runs] jobs: 'sales' limits nothing: it names no job; write LOCATION/JOB"
