"""Mistakes in Dagster's definitions: the summary names the culprit, the detail the user's lines."""

from __future__ import annotations

import pytest

PREAMBLE = "import dagster as dg\n@dg.asset\ndef one(): ...\n@dg.op\ndef work(): ...\n"
JOB = "@dg.job\ndef {}():\n    work()\n"
TWICE = "def make():\n    @dg.asset(name='one')\n    def other(): ...\n    return other\n"


@pytest.fixture
def dagster(dagster_environment) -> str:
    """An interpreter with the newest Dagster."""
    return str(dagster_environment("newest") / "bin" / "python")


MISTAKES = [
    (TWICE + "defs = dg.Definitions(assets=[one, make()])", "one"),
    ("defs = dg.Definitions(assets='abc')", "'abc'"),
    ("defs = dg.Definitions(assets=[1])", "1"),
    ("defs = dg.Definitions(resources=3)", "resources"),
    ("defs = dg.Definitions(asets=[one])", "asets"),
    ("@dg.asset(name='a b')\ndef bad(): ...\ndefs = dg.Definitions(assets=[bad])", "a b"),
    ("@dg.op(name='config')\ndef bad(): ...\ndefs = dg.Definitions()", "config"),
    ("@dg.asset(group_name='')\ndef bad(): ...\ndefs = dg.Definitions(assets=[bad])", "group"),
    ("@dg.asset(owners=['nobody'])\ndef bad(): ...\ndefs = dg.Definitions(assets=[bad])", "nobody"),
    ("defs = dg.Definitions(jobs=[dg.define_asset_job('j', selection=['nope'])])", "nope"),
    (
        (
            "defs = dg.Definitions(schedules=[dg.ScheduleDefinition("
            "name='a', job_name='nope', cron_schedule='0 6 * * *')])"
        ),
        "nope",
    ),
    (
        "@dg.sensor(job_name='nope')\ndef s(context): ...\ndefs = dg.Definitions(sensors=[s])",
        "nope",
    ),
    (JOB.format("j") + "x = dg.ScheduleDefinition(name='a', job=j, cron_schedule='* *')", "'a'"),
    (
        JOB.format("j") + "x = dg.ScheduleDefinition("
        "name='a', job=j, cron_schedule='0 6 * * *', execution_timezone='Foo/Bar')",
        "Foo/Bar",
    ),
    (
        JOB.format("j") + "a, b = (dg.ScheduleDefinition(name='s', job=j, cron_schedule=c) "
        "for c in ('0 6 * * *', '0 7 * * *'))\ndefs = dg.Definitions(schedules=[a, b])",
        "for s",
    ),
    ("@dg.asset\ndef two(nope): ...\ndefs = dg.Definitions(assets=[two])", "nope"),
    (
        (
            "@dg.asset(required_resource_keys={'r'})\ndef two(): ...\n"
            "defs = dg.Definitions(assets=[two])"
        ),
        "resource with key 'r'",
    ),
    (
        (
            "@dg.asset(deps=['b'])\ndef a(): ...\n@dg.asset(deps=['a'])\ndef b(): ...\n"
            "defs = dg.Definitions(assets=[a, b])"
        ),
        "Circular",
    ),
    (
        (
            "def check():\n    @dg.asset_check(asset=one)\n    def c():\n"
            "        return dg.AssetCheckResult(passed=True)\n    return c\n"
            "defs = dg.Definitions(assets=[one], asset_checks=[check(), check()])"
        ),
        "c",
    ),
    ("@dg.repository\ndef r():\n    return 3\n", "'int'"),
    ("@dg.repository\ndef r():\n    return [3]\n", "int"),
    (
        "@dg.job(name='__ASSET_JOB')\ndef j():\n    work()\ndefs = dg.Definitions(jobs=[j])",
        "__ASSET_JOB",
    ),
    ("@dg.definitions\ndef defs():\n    return 3\n", "Definitions"),
    ("@dg.definitions\ndef defs(other):\n    return 3\n", "ComponentLoadContext"),
    ("defs = dg.Definitions.merge(*(dg.Definitions(resources={'r': n}) for n in (1, 2)))", "'r'"),
    (
        (
            "def make():\n    @dg.job(name='j')\n    def other():\n        work()\n"
            "    return other\n"
            "defs = dg.Definitions(jobs=[make(), make()])"
        ),
        "'j'",
    ),
    (
        (
            "jobs = [dg.define_asset_job('j', selection=s) for s in (['one'], '*')]\n"
            "defs = dg.Definitions(assets=[one], jobs=jobs)"
        ),
        "'j'",
    ),
    (
        (
            "specs = [dg.AssetSpec('a', group_name=g) for g in ('x', 'y')]\n"
            "defs = dg.Definitions(assets=specs)"
        ),
        "['a']",
    ),
    (
        ("@dg.asset(io_manager_key='iom')\ndef two(): ...\ndefs = dg.Definitions(assets=[two])"),
        "'iom'",
    ),
    (
        (
            "class Own(dg.PartitionsDefinition):\n    def get_partition_keys(self, *a, **k):\n"
            "        return ['x']\n"
            "    def get_paginated_partition_keys(self, *a, **k): ...\n"
            "@dg.asset(partitions_def=Own())\ndef two(): ...\n"
            "defs = dg.Definitions(assets=[two])"
        ),
        "Custom PartitionsDefinition subclasses are not supported",
    ),
    (
        (
            "sensors = [dg.AutomationConditionSensorDefinition(n, target='*') for n in 'xy']\n"
            "@dg.asset(automation_condition=dg.AutomationCondition.eager())\ndef two(): ...\n"
            "defs = dg.Definitions(assets=[two], sensors=sensors)"
        ),
        "overlapping asset selections: they both target 'two'",
    ),
    ("@dg.asset(tags={'a b': 'c'})\ndef two(): ...\ndefs = dg.Definitions(assets=[two])", "a b"),
    ("@dg.graph\ndef g():\n    work()\n@dg.graph\ndef h():\n    work()\n", "g, h"),
    (
        (
            "@dg.definitions\ndef a():\n    return dg.Definitions()\n"
            "@dg.definitions\ndef b():\n    return dg.Definitions()\n"
        ),
        "a, b",
    ),
    (
        "@dg.sensor(job_name='j', name='s')\ndef a(context): ...\n"
        + JOB.format("j")
        + "b = dg.ScheduleDefinition(name='s', job=j, cron_schedule='0 6 * * *')\n"
        "defs = dg.Definitions(jobs=[j], schedules=[b], sensors=[a])",
        "for s",
    ),
    ("@dg.repository\ndef r():\n    return {'nope': {}}\n", "nope"),
    (
        (
            "def make():\n    @dg.job(name='j')\n    def other():\n        work()\n"
            "    return other\n"
            "x = dg.ScheduleDefinition(name='s', job=make(), cron_schedule='0 6 * * *')\n"
            "defs = dg.Definitions(jobs=[make()], schedules=[x])"
        ),
        "'j'",
    ),
    (
        (
            "executors = (dg.in_process_executor, dg.multiprocess_executor)\n"
            "parts = (dg.Definitions(executor=each) for each in executors)\n"
            "defs = dg.Definitions.merge(*parts)"
        ),
        "executor",
    ),
    ("defs = dg.Definitions.merge(dg.Definitions(), 3)", "int"),
    ("raise ValueError('nobody')\n", "ValueError: nobody"),
    ("defs = dg.Definitions(loggers={'l': 3})", "for key l"),
    ("defs = dg.Definitions(executor=3)", "executor"),
    ("class Db(dg.ConfigurableResource):\n    url: str\nx = Db()\n", "url"),
]


@pytest.mark.parametrize(("source", "culprit"), MISTAKES)
def test_a_mistake_fails_the_load_and_its_summary_names_the_culprit(
    run_warm, dagster, source, culprit
):
    problem = run_warm(dagster, PREAMBLE + source).problem()
    assert culprit in problem["summary"]
    assert "\n" not in problem["summary"]
    assert "site-packages/dagster/" not in problem["summary"]


ATTRIBUTES = [
    ("x = 1\n", "zzz", "zzz"),
    ("def make(needed):\n    return dg.Definitions()\n", "make", "make"),
    ("def make():\n    return 3\n", "make", "int"),
    ("x = 3\n", "x", "int"),
]


@pytest.mark.parametrize(("source", "attribute", "culprit"), ATTRIBUTES)
def test_an_attribute_that_gives_no_definitions_is_told(
    run_warm, dagster, source, attribute, culprit
):
    problem = run_warm(dagster, PREAMBLE + source, attribute=attribute).problem()
    assert attribute in problem["summary"]
    assert culprit in problem["summary"]


def test_dagsters_own_error_is_shown_with_its_cause_and_without_dagsters_frames(run_warm, dagster):
    source = PREAMBLE + (
        "job = dg.define_asset_job('nightly', selection=['nothing'])\n"
        "defs = dg.Definitions(jobs=[job])\n"
    )
    problem = run_warm(dagster, source).problem()
    assert "nightly" in problem["summary"]
    assert ", because DagsterInvalidSubsetError" in problem["summary"]
    assert "nothing" in problem["summary"]
    assert "site-packages/dagster/" not in problem["detail"]
    assert problem["error"]["causes"][0]["type"] == "DagsterInvalidSubsetError"


def test_an_error_at_construction_tells_the_users_line(run_warm, dagster):
    source = PREAMBLE + "\n\ndefs = dg.Definitions(assets=[1])\n"
    problem = run_warm(dagster, source).problem()
    assert problem["summary"].endswith("(defs.py:8)")
    assert "defs = dg.Definitions(assets=[1])" in problem["detail"]


def test_what_a_folder_of_definitions_has_twice_is_told_with_both_modules(
    start_warm, code, dagster
):
    (code / "shop").mkdir()
    (code / "shop" / "__init__.py").touch()
    for name in ("first", "second"):
        file = code / "shop" / f"{name}.py"
        file.write_text("import dagster as dg\n@dg.asset\ndef one(): ...\n")
    runner = start_warm(dagster, "shop", kind="autoload_defs_module", directory=code)
    assert "one" in runner.problem()["summary"]


@pytest.mark.parametrize(
    "source",
    [
        "a = dg.Definitions(assets=[one])\nb = dg.Definitions()\n",
        "a = dg.Definitions(assets=[one])\n@dg.definitions\ndef b():\n    return a\n",
    ],
    ids=["twice", "in two ways"],
)
def test_a_file_of_a_folder_of_definitions_that_has_them_twice_is_named(
    start_warm, code, dagster, source
):
    (code / "shop").mkdir()
    (code / "shop" / "__init__.py").touch()
    (code / "shop" / "parts.py").write_text(PREAMBLE + source)
    runner = start_warm(dagster, "shop", kind="autoload_defs_module", directory=code)
    assert "parts.py" in runner.problem()["summary"]


def test_an_import_that_another_folder_has_is_told_with_that_folder(run, code, extreme):
    (code / "lib").mkdir()
    (code / "lib" / "shared.py").touch()
    summary = run(extreme, "import shared\n").problem()["summary"]
    assert summary.endswith(
        f"{code / 'lib'} has 'shared': set working_directory to that folder (-d {code / 'lib'})"
    )


def test_an_import_that_a_folder_above_has_is_told_too(start, code, extreme):
    (code / "shop" / "etl").mkdir(parents=True)
    (code / "shop" / "__init__.py").touch()
    (code / "shop" / "etl" / "defs.py").write_text("import shop.etl\n")
    summary = start(extreme, code / "shop" / "etl" / "defs.py").problem()["summary"]
    assert f"{code} has 'shop'" in summary


def test_a_relative_import_of_a_file_is_told_to_be_one_of_a_module(run, extreme):
    summary = run(extreme, "from . import shared\n").problem()["summary"]
    assert "defs.py is loaded as a file, which is in no package" in summary


def test_a_package_that_is_nowhere_is_named_for_the_daemon_to_say_where_to_add_it(run, extreme):
    problem = run(extreme, "import no_such_package.inner\n").problem()
    assert problem["missing"] == "no_such_package"
    assert run(extreme, "raise ValueError\n", "b.py").problem()["missing"] is None


RESOURCE = """
import dagster as dg
class Warehouse(dg.ConfigurableResource):
    dsn: str
"""
UNSET = (
    RESOURCE + "with Warehouse(dsn=dg.EnvVar('NO_SUCH_DSN')).process_config_and_initialize_cm():\n"
    "    pass\n",
    (
        "DagsterInvalidConfigError: Errors while initializing resource, root:dsn:"
        ' the environment variable "NO_SUCH_DSN" is not set (defs.py:5)'
    ),
)
FIELDS = (
    RESOURCE + "Warehouse(dsn=3, port=4)\n",
    (
        "ValidationError: 1 validation error for Warehouse: dsn: Input should be a valid string"
        " (defs.py:5)"
    ),
)
CONFIG = (
    (
        "import dagster as dg\n@dg.op(config_schema={'a': int})\ndef work(context): ...\n"
        "@dg.job(config={'ops': {'work': {'config': {'b': 1}}}})\ndef j(): work()\n"
        "defs = dg.Definitions(jobs=[j])\n"
    ),
    'Received unexpected config entry "b" at path root:config. Expected: "{ a: Int }". and 1 more',
)
YAML = (
    (
        "import dagster as dg, pathlib\npathlib.Path('x.yaml').write_text('a: b: c')\n"
        "dg.config_from_files(['x.yaml'])\n"
    ),
    ", because ScannerError: mapping values are not allowed here in ",
)


@pytest.mark.parametrize(("source", "told"), [UNSET, FIELDS, CONFIG, YAML])
def test_the_second_line_is_told_where_the_first_only_announces_it(run_warm, dagster, source, told):
    assert told in run_warm(dagster, source).problem()["summary"]


SCRIPT = "type: dagster.PythonScriptComponent\nattributes:\n"
COMPONENTS = [
    ("type: nosuch.Component\n", "ModuleNotFoundError: No module named 'nosuch'"),
    (SCRIPT + "  x: : 3\n", "ScannerError: mapping values are not allowed here in {file}:3"),
    ("attributes: {}\n", "validation error for ComponentFileModel: type: Field required in {file}"),
    (
        SCRIPT + "  execution:\n    path: '{{ nosuch }}'\n    name: x\n  assets: []\n",
        "{file}:4 - attributes.execution.path: 'nosuch' is undefined",
    ),
    (
        SCRIPT + "  execution:\n    path: '{{ env.NO_SUCH }}'\n    name: x\n  assets: []\n",
        'path: Input should be a valid string: the environment variable "NO_SUCH" is not set',
    ),
    (
        "type: shop.parts.Nope\n",
        (
            "DagsterUnresolvableSymbolError: Module `shop.parts` not found, because "
            "ModuleNotFoundError: No module named 'shop.parts' in {file}"
        ),
    ),
    (
        "type: dagster.Nope\n",
        "DagsterUnresolvableSymbolError: Module `dagster` has no attribute `Nope` in {file}",
    ),
]


@pytest.mark.parametrize(("text", "told"), COMPONENTS)
def test_a_component_that_does_not_load_is_told_with_its_file_and_line(
    start_warm, code, dagster, text, told
):
    file = code / "shop" / "defs" / "part" / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (code / "shop" / "__init__.py").touch()
    (code / "shop" / "defs" / "__init__.py").touch()
    (code / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\n[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "shop"\n'
    )
    runner = start_warm(dagster, "shop.defs", kind="autoload_defs_module", directory=code)
    assert told.format(file=file) in runner.problem()["summary"]
