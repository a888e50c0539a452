"""Code that does something before it imports what a warm interpreter has imported already."""

from __future__ import annotations

import pytest

from tests.supervisor.runners.launching import installed, telling

PLAIN = "import lib\ntold = lib.SIZE"
LIBRARY = (
    "import os, sys\nfrom helper import SIZE\n"
    "SIZE += int(os.environ.get('LIB_SIZE', '0')) + int(os.environ.get('OMP_NUM_THREADS', '0'))\n"
)
SETTING = (
    "import os\nos.environ.setdefault('OMP_SCHEDULE', 'static')\n"
    "def change(): os.environ['LIB_SIZE'] = '7'\n"
)
DEPARTURES = [
    ("import os\nos.environ['LIB_SIZE'] = '7'", "it sets the variable LIB_SIZE"),
    ("import os\nos.environ['OMP_NUM_THREADS'] = '7'", "it sets the variable OMP_NUM_THREADS"),
    ("import sys\nsys.path.insert(0, 'vendor')", "it changes sys.path, and its own helper stands"),
    ("import setting\nsetting.change()", "it sets the variable LIB_SIZE"),
    (
        "import sys, types\nsys.modules['helper'] = types.SimpleNamespace(SIZE=7)",
        "it puts another module in the place of helper",
    ),
]


@pytest.fixture
def library(bench, packages):
    """A package whose import depends on variables and on another, which `vendor` has as well."""
    (packages / "lib.py").write_text(LIBRARY)
    (packages / "helper.py").write_text("SIZE = 0")
    (packages / "setting.py").write_text(SETTING)
    vendor = bench.folder / "code" / "vendor"
    vendor.mkdir(parents=True)
    (vendor / "helper.py").write_text("SIZE = 7")
    return packages


@pytest.mark.parametrize("method", ["fork", "spare"])
@pytest.mark.parametrize(("first", "why"), DEPARTURES)
async def test_what_code_does_before_its_imports_counts_as_in_a_cold_start(
    bench, newest, library, method, first, why
):
    spec = installed(bench, newest, library, telling(PLAIN))
    await bench.load(spec, "spawn")
    assert (await bench.load(spec, method)).runner.start_method == method
    spec = installed(bench, newest, library, telling(f"{first}\n{PLAIN}"))
    loaded = await bench.load(spec, method)
    assert (loaded.told, loaded.runner.start_method) == (7, "spawn")
    assert loaded.runner.why.startswith(why)
    assert bench.profiles.of("key").suspicions == ()


async def test_what_a_package_sets_as_it_is_imported_is_no_departure(bench, newest, library):
    spec = installed(bench, newest, library, telling(PLAIN))
    await bench.load(spec, "spawn")
    spec = installed(bench, newest, library, telling(f"{PLAIN}\nimport setting"))
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (0, "fork")


async def test_code_that_departed_starts_cold_until_it_does_so_no_longer(bench, newest, library):
    spec = installed(bench, newest, library, telling(PLAIN))
    await bench.load(spec, "spawn")
    departing = telling(f"{DEPARTURES[0][0]}\n{PLAIN}")
    spec = installed(bench, newest, library, departing)
    whys = [(await bench.load(spec, "fork")).runner.why for _ in range(2)]
    assert whys[0] == f"{whys[1]}; it was started again on its own"
    spec = installed(bench, newest, library, telling(PLAIN))
    assert (await bench.load(spec, "fork")).runner.start_method == "spawn"
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (0, "fork")


async def test_packages_that_import_each_other_are_no_departure(bench, newest, packages):
    """Only one way round, as gRPC's do; the one that is complete first cannot be imported first."""
    (packages / "outer.py").write_text("def mark(it): return it\nfrom inner import one")
    (packages / "inner.py").write_text("from outer import mark\none = mark(1)")
    spec = installed(bench, newest, packages, telling("import outer\ntold = outer.one"))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork", "spare")]
    assert [load.runner.start_method for load in loads] == ["spawn", "fork", "spare"]


async def test_a_package_that_cannot_be_imported_before_the_code_starts_it_cold(
    bench, newest, packages
):
    """One that wants to be set up first, and was half done when it noticed."""
    (packages / "state.py").write_text("ready = False\nnames = []")
    (packages / "models.py").write_text(
        "import state\n"
        "assert not state.names, 'twice'\n"
        "state.names.append('it')\n"
        "assert state.ready\n"
    )
    source = telling("import state\nstate.ready = True\nimport models\ntold = state.names")
    spec = installed(bench, newest, packages, source)
    await bench.load(spec, "spawn")
    loads = [await bench.load(spec, method) for method in ("fork", "fork", "spare")]
    assert [(load.told, load.runner.start_method) for load in loads] == [(["it"], "spawn")] * 3
    assert {load.runner.why.partition(";")[0] for load in loads} == {
        "models cannot be imported before its code"
    }


async def test_a_variable_that_no_import_has_read_may_be_set(bench, newest, library):
    spec = installed(bench, newest, library, telling(PLAIN))
    await bench.load(spec, "spawn")
    source = telling(f"import os\nos.environ['REGION'] = 'eu'\n{PLAIN}")
    loaded = await bench.load(installed(bench, newest, library, source), "fork")
    assert loaded.runner.start_method == "fork"
