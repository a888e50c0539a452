"""Which objects of a module Dagster's rules load, in which order, with real releases."""

from __future__ import annotations

import pytest

PREAMBLE = "import dagster as dg\n@dg.asset\ndef one(): ...\n@dg.op\ndef work(): ...\n"
JOB = "@dg.job\ndef {}():\n    work()\n"


@pytest.fixture
def dagster(dagster_environment) -> str:
    """An interpreter with the newest Dagster."""
    return str(dagster_environment("newest") / "bin" / "python")


@pytest.fixture(params=["newest", "1.9", "1.5"])
def any_dagster(request, dagster_environment) -> str:
    """Every release of the matrix, each on a Python of its own."""
    return str(dagster_environment(request.param) / "bin" / "python")


def kinds(runner) -> list[str]:
    content = runner.load()
    assert "definitions" in content, content["problem"]["detail"]
    return [f"{one['kind']} {one['name']}" for one in content["definitions"]]


COMPONENT = """
import dagster as dg

class Named(dg.Component, dg.Model, dg.Resolvable):
    name: str

    def build_defs(self, context):
        return dg.Definitions(assets=[dg.AssetSpec(self.name)])
"""

TIERS = [
    (
        "defs = dg.Definitions(assets=[one])\n@dg.repository\ndef r():\n    return []\n",
        ["asset one"],
    ),
    ("@dg.repository\ndef r():\n    return [one]\n" + JOB.format("j"), ["asset one"]),
    (JOB.format("j") + "@dg.graph\ndef g():\n    work()\n", ["job j"]),
    ("@dg.graph\ndef g():\n    work()\n", ["job g"]),
    ("more = [dg.SourceAsset('two')]\n", ["asset one", "asset two"]),
]


@pytest.mark.parametrize(("source", "found"), TIERS)
def test_the_first_kind_of_object_that_a_module_has_counts(run_warm, any_dagster, source, found):
    assert kinds(run_warm(any_dagster, PREAMBLE + source)) == found


def test_several_repositories_are_one_location_each_a_namespace(run_warm, any_dagster):
    source = PREAMBLE + (
        "@dg.repository\ndef first():\n    return [one]\n"
        "@dg.repository\ndef second():\n    return [one]\n"
    )
    found = run_warm(any_dagster, source).load()["definitions"]
    assert [one["repository"] for one in found] == ["first", "second"]


def test_one_job_alone_is_a_repository_of_its_own(run_warm, any_dagster):
    (found,) = run_warm(any_dagster, PREAMBLE + JOB.format("only")).load()["definitions"]
    assert (found["kind"], found["repository"]) == ("job", "__repository__only")


def test_lazy_definitions_win_over_the_objects_beside_them(run_warm, dagster):
    source = PREAMBLE + (
        "other = dg.Definitions()\n"
        "@dg.definitions\ndef defs():\n    return dg.Definitions(assets=[one])\n"
    )
    assert run_warm(dagster, source).assets() == ["one"]


def test_lazy_definitions_that_need_a_context_say_so_when_loaded_alone(run_warm, dagster):
    source = PREAMBLE + (
        "@dg.definitions\ndef defs(context: dg.ComponentLoadContext):\n"
        "    return dg.Definitions(assets=[one])\n"
    )
    summary = run_warm(dagster, source).problem()["summary"]
    assert "ComponentLoadContext" in summary
    assert "autoload_defs_module" in summary


ATTRIBUTES = [
    ("defs = dg.Definitions(assets=[one])\nother = dg.Definitions()\n", "defs", ["asset one"]),
    ("def make():\n    return dg.Definitions(assets=[one])\n", "make", ["asset one"]),
    (JOB.format("a") + JOB.format("b"), "b", ["job b"]),
    ("class Holder:\n    defs = dg.Definitions(assets=[one])\n", "Holder.defs", ["asset one"]),
]


@pytest.mark.parametrize(("source", "attribute", "found"), ATTRIBUTES)
def test_an_attribute_names_the_definitions(run_warm, any_dagster, source, attribute, found):
    assert kinds(run_warm(any_dagster, PREAMBLE + source, attribute=attribute)) == found


def test_an_asset_named_as_the_attribute_is_loaded_and_not_executed(run_warm, dagster):
    source = "import dagster as dg\n@dg.asset\ndef one():\n    raise SystemExit('executed')\n"
    assert run_warm(dagster, source, attribute="one").assets() == ["one"]


def test_a_folder_of_definitions_and_components_is_loaded_by_itself(start_warm, code, dagster):
    defs = code / "shop" / "defs"
    (defs / "raw").mkdir(parents=True)
    (defs / "nested" / "deep").mkdir(parents=True)
    (code / "shop" / "__init__.py").touch()
    (defs / "__init__.py").touch()
    (defs / "parts.py").write_text("import dagster as dg\n@dg.asset\ndef one(): ...\n")
    (defs / "nested" / "deep" / "more.py").write_text(
        "import dagster as dg\n@dg.definitions\ndef defs(context: dg.ComponentLoadContext):\n"
        "    return dg.Definitions(assets=[dg.AssetSpec('from_' + context.path.stem)])\n"
    )
    (defs / "raw" / "defs.yaml").write_text("type: shop.parts.Named\nattributes:\n  name: two\n")
    (code / "shop" / "parts.py").write_text(COMPONENT)
    (code / "pyproject.toml").write_text("[tool.dg.project]\nroot_module = 'shop'\n")
    runner = start_warm(dagster, "shop.defs", kind="autoload_defs_module", directory=code)
    assert runner.assets() == ["from_more", "one", "two"]
    assert str(defs / "parts.py") in runner.load()["sources"]


def test_a_folder_of_definitions_needs_no_pyproject_toml_above_it(start_warm, code, dagster):
    (code / "shop").mkdir()
    (code / "shop" / "__init__.py").touch()
    (code / "shop" / "parts.py").write_text("import dagster as dg\n@dg.asset\ndef one(): ...\n")
    runner = start_warm(dagster, "shop", kind="autoload_defs_module", directory=code)
    assert runner.assets() == ["one"]


def test_a_release_without_components_cannot_load_a_folder_by_itself(
    start, code, dagster_environment
):
    (code / "shop.py").write_text("import dagster\n")
    python = str(dagster_environment("1.5") / "bin" / "python")
    problem = start(python, "shop", kind="autoload_defs_module", directory=code).problem()
    assert problem["summary"].startswith("autoload_defs_module needs a Dagster with")


REFUSED = [
    (
        "defs = dg.Definitions()\nother_defs = dg.Definitions()\n",
        (
            "Cannot have more than one Definitions object defined at module scope. "
            "Found: defs, other_defs"
        ),
    ),
    (JOB.format("j") + JOB.format("k"), "Found: j, k; add defs = Definitions(jobs=[j, k])"),
    ("del one\n", "No Definitions found in module 'defs'"),
    (
        (
            "del one\nnightly = dg.define_asset_job('nightly')\n"
            "daily = dg.ScheduleDefinition(job=nightly, cron_schedule='0 6 * * *')\n"
        ),
        "Add defs = Definitions(jobs=[nightly], schedules=[daily])",
    ),
]


@pytest.mark.parametrize(("source", "said"), REFUSED)
def test_what_cannot_be_loaded_is_told_with_what_to_do(run_warm, any_dagster, source, said):
    assert said in run_warm(any_dagster, PREAMBLE + source).problem()["summary"]


def test_one_object_under_two_names_is_one(run_warm, any_dagster):
    source = PREAMBLE + "defs = dg.Definitions(assets=[one])\nalso = defs\n"
    assert run_warm(any_dagster, source).assets() == ["one"]


def test_without_dagster_a_folder_cannot_be_loaded_by_itself(start, code, extreme):
    (code / "shop.py").write_text("")
    problem = start(extreme, "shop", kind="autoload_defs_module", directory=code).problem()
    assert problem["summary"].startswith("autoload_defs_module needs a Dagster with")
