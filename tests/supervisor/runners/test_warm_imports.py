"""What warm interpreters import, what forbids that, and who shares it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace

import pytest

from tests.supervisor.runners.launching import installed, telling

PRELOADED = "import sys\ntold = sorted(n for n in sys.modules if n.partition('.')[0] in {names!r})"


def record(info, *files, editable=False):
    """What an installer notes of a package that it took from a local folder."""
    info.mkdir()
    origin = {"url": "file:///home/ada/project", "dir_info": {"editable": True} if editable else {}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def own_environment(bench, python, *options):
    environment = bench.folder / "environment"
    subprocess.run([python, "-m", "venv", "--without-pip", *options, environment], check=True)
    return environment


async def test_no_module_of_the_users_own_sources_is_preloaded(bench, newest, packages):
    """Not the location's, not an editable install, not a dependency from a folder."""
    (packages / "public.py").write_text("")
    (packages / "local.py").write_text("")
    record(packages / "local-1.dist-info", "local.py", "local-1.dist-info/RECORD")
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "editable.py").write_text("")
    (packages / "editable.pth").write_text(f"{elsewhere}\n")
    names = {"public", "local", "editable", "beside"}
    source = PRELOADED.format(names=names) + "\nimport public, local, editable, beside"
    spec = installed(bench, newest, packages, telling(source))
    (bench.folder / "code" / "beside.py").write_text("")
    path = spec.variables["PYTHONPATH"] + f":{elsewhere}"
    spec = replace(spec, variables={**spec.variables, "PYTHONPATH": path})
    cold, warm = await bench.load(spec, "spawn"), await bench.load(spec, "fork")
    assert warm.runner.start_method == "fork"
    assert (cold.told, warm.told) == ([], ["public"])


async def test_the_finder_of_an_editable_install_does_not_keep_an_environment_cold(bench, newest):
    """Setuptools puts it beside the packages, and a `.pth` file that imports it at each start."""
    environment = own_environment(bench, newest)
    (site,) = environment.glob("lib/*/site-packages")
    (site / "__editable___mine_1_finder.py").write_text("")
    (site / "__editable__.mine-1.pth").write_text("import __editable___mine_1_finder")
    files = ("__editable__.mine-1.pth", "__editable___mine_1_finder.py")
    record(site / "mine-1.dist-info", *files, editable=True)
    spec = bench.spec(environment / "bin" / "python", telling("import decimal\ntold = 1"))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork", "spare")]
    assert [load.runner.start_method for load in loads] == ["spawn", "fork", "spare"]


async def test_a_location_that_is_an_installed_module_is_never_preloaded(bench, newest, packages):
    (packages / "mine").mkdir()
    (packages / "mine" / "__init__.py").write_text(
        "import sys; before = 'mine.parts' in sys.modules"
    )
    (packages / "mine" / "parts.py").write_text("")
    source = "import mine\ntold = mine.before\nimport mine.parts"
    (packages / "mine" / "defs.py").write_text(telling(source))
    spec = installed(bench, newest, packages, "")
    spec = replace(spec, target=replace(spec.target, kind="module", value="mine.defs"))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork")]
    assert loads[1].runner.start_method == "fork"
    assert [load.told for load in loads] == [False, False]


async def test_a_module_of_its_own_that_shadows_a_shared_one_starts_it_cold(bench, newest):
    spec = bench.spec(newest, telling("import decimal\ntold = decimal.__file__"))
    await bench.load(spec, "spawn")
    own = bench.folder / "code" / "decimal.py"
    own.write_text("")
    loaded = await bench.load(spec, "fork")
    assert loaded.runner.start_method == "spawn"
    assert (
        loaded.runner.why == "its own decimal stands before the module decimal of the environment"
    )
    assert loaded.told == str(own)


async def test_a_module_of_its_own_that_packages_look_for_starts_it_cold(bench, newest, packages):
    """Settings that a package imports if they are there."""
    (packages / "lib.py").write_text(
        "try: from lib_settings import SIZE\nexcept ImportError: SIZE = 0"
    )
    spec = installed(bench, newest, packages, telling("import lib\ntold = lib.SIZE"))
    await bench.load(spec, "spawn")
    before = await bench.load(spec, "fork")
    (bench.folder / "code" / "lib_settings.py").write_text("SIZE = 7")
    after = await bench.load(spec, "fork")
    assert [(one.runner.start_method, one.told) for one in (before, after)] == [
        ("fork", 0),
        ("spawn", 7),
    ]
    assert "packages look for a module lib_settings" in after.runner.why


async def test_a_part_of_its_own_of_a_package_that_gathers_its_parts_starts_it_cold(
    bench, newest, packages
):
    (packages / "parts").mkdir()
    (packages / "parts" / "__init__.py").write_text(
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
    )
    spec = installed(bench, newest, packages, telling("import parts\ntold = 0"))
    await bench.load(spec, "spawn")
    await bench.load(spec, "fork")
    spec = installed(bench, newest, packages, telling("import parts.mine\ntold = parts.mine.X"))
    own = bench.folder / "code" / "parts"
    own.mkdir()
    (own / "mine.py").write_text("X = 7")
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (7, "spawn")


async def test_a_file_that_an_import_reads_from_the_working_directory_starts_it_cold(
    bench, newest, packages
):
    (packages / "matplotlib.py").write_text("import os; styled = os.path.exists('matplotlibrc')")
    source = telling("import matplotlib\ntold = matplotlib.styled")
    spec = installed(bench, newest, packages, source)
    await bench.load(spec, "spawn")
    before = await bench.load(spec, "fork")
    (bench.folder / "code" / "matplotlibrc").write_text("")
    after = await bench.load(spec, "fork")
    assert [(one.runner.start_method, one.told) for one in (before, after)] == [
        ("fork", False),
        ("spawn", True),
    ]
    assert "matplotlib reads matplotlibrc" in after.runner.why


async def test_a_package_upgraded_in_place_is_loaded_anew(bench, newest, packages):
    (packages / "lib.py").write_text("VERSION = 1")
    spec = installed(bench, newest, packages, telling("import lib\ntold = lib.VERSION"))
    await bench.load(spec, "spawn")
    assert (await bench.load(spec, "fork")).told == 1
    (packages / "lib.py").write_text("VERSION = 22")
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (22, "spawn")
    assert "lib.py has changed since it was preloaded" in loaded.runner.why
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (22, "fork")


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda packages: (packages / "new.pth").write_text(""), "site-packages has changed"),
        (lambda packages: (packages / "old.pth").write_text("\n\n"), "old.pth has changed"),
        (lambda packages: (packages / "old.pth").unlink(), "site-packages has changed"),
    ],
)
async def test_a_changed_pth_file_retires_the_fork_server(bench, newest, packages, change, changed):
    (packages / "old.pth").write_text("\n")
    spec = installed(bench, newest, packages, telling("told = 1"))
    await bench.load(spec, "spawn")
    await bench.load(spec, "fork")
    change(packages)
    loaded = await bench.load(spec, "fork")
    assert loaded.runner.start_method == "spawn"
    assert changed in loaded.runner.why


async def test_a_changed_interpreter_retires_the_fork_server(bench, newest):
    environment = own_environment(bench, newest, "--copies")
    python, another = environment / "bin" / "python", environment / "another"
    spec = bench.spec(python, telling("told = 1"))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork")]
    another.write_bytes(python.read_bytes())
    another.chmod(0o755)
    another.replace(python)
    loads += [await bench.load(spec, method) for method in ("fork", "fork")]
    assert [load.runner.start_method for load in loads] == ["spawn", "fork", "spawn", "fork"]
    assert "python has changed" in loads[2].runner.why


async def test_a_package_that_starts_a_thread_is_found_out_and_a_spare_serves(
    bench, newest, packages
):
    (packages / "threads.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    (packages / "above.py").write_text("import threads")
    (packages / "harmless.py").write_text("")
    source = "import harmless, above\nimport threading\ntold = threading.active_count()"
    spec = installed(bench, newest, packages, telling(source))
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "auto")
    assert bench.profiles.of("key").cold == {
        "threads": "it started 1 thread",
        "above": "it imports threads",
    }
    loaded = await bench.load(spec, "auto")
    assert (loaded.runner.start_method, loaded.told) == ("spare", 2)
    assert "it started 1 thread" in loaded.runner.why or "imports threads" in loaded.runner.why


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import socket; s = socket.socket()", "it opened socket"),
        ("import os; p = os.pipe()", "it opened pipe"),
        ("import os; os.chdir('/tmp')", "it changed the working directory"),
        ("import os; os.umask(0o11)", "it changed the umask"),
        ("import os; os.environ['HOME'] = '/x'", "it changed the variable HOME"),
        ("import signal; signal.signal(signal.SIGUSR1, print)", "it handles signal 10"),
        ("import subprocess; p = subprocess.Popen(['sleep', '60'])", "it started a process"),
        ("import below", "it imports your own below"),
        ("f = open(__file__)", "it opened /"),
        ("import tempfile; t = tempfile.TemporaryDirectory()", "it removes files when"),
        ("import atexit, os; atexit.register(os.rmdir, '/nowhere')", "it removes files when"),
        (
            "import atexit, shutil; atexit.register(lambda: shutil.rmtree('/nowhere', True))",
            "it removes files when",
        ),
    ],
)
async def test_what_a_fork_cannot_share_is_named(bench, newest, packages, statement, reason):
    (packages / "odd.py").write_text(statement)
    spec = installed(bench, newest, packages, telling("import odd\ntold = 1"))
    below = bench.folder / "below"
    below.mkdir()
    (below / "below.py").write_text("")
    path = f"{packages}:{below}"
    spec = replace(spec, variables={**spec.variables, "PYTHONPATH": path})
    await bench.load(spec, "spawn")
    await bench.load(spec, "auto")
    assert bench.profiles.of("key").cold["odd"].startswith(reason)


async def test_what_packages_registered_for_forks_and_for_the_end_forbids_nothing_and_is_counted(
    bench, extreme, packages
):
    (packages / "careful.py").write_text(
        "import atexit, os\n"
        "for word in ('first', 'second'): atexit.register(print, word, os.getpid())\n"
        "os.register_at_fork(after_in_child=int)\n"
    )
    spec = installed(bench, extreme, packages, telling("import careful\ntold = 1"))
    cold = await bench.load(spec, "spawn")
    warm = await bench.load(spec, "auto")
    assert (cold.runner.hooks, warm.runner.start_method) == (None, "fork")
    hooks = warm.runner.hooks
    assert (hooks.at_exit["careful"], hooks.at_fork["careful"]) == (2, 1)


async def test_a_variable_that_an_import_sets_is_set_in_each_runner(bench, newest, packages):
    (packages / "sets.py").write_text("import os; os.environ.setdefault('SET_BY_IMPORT', 'x')")
    source = (
        "import os, sets\n"
        "told = os.environ['SET_BY_IMPORT'], os.popen('env').read().count('SET_BY')\n"
    )
    spec = installed(bench, newest, packages, telling(source))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork")]
    assert loads[1].runner.start_method == "fork"
    assert [load.told for load in loads] == [["x", 1], ["x", 1]]


async def test_locations_of_one_environment_share_what_all_of_them_import(bench, newest, packages):
    for name in ("one", "two", "both"):
        (packages / f"{name}.py").write_text("")
    names = {"one", "two", "both"}
    told = PRELOADED.format(names=names)
    first = installed(bench, newest, packages, telling(told + "\nimport both, one"))
    second = replace(
        installed(bench, newest, packages, telling(told + "\nimport both, two")), location="other"
    )
    for imports in ("one", "two"):
        code = bench.folder / "code" / f"{imports}_defs.py"
        code.write_text(telling(told + f"\nimport both, {imports}"))
    first, second = (
        replace(
            spec, target=replace(spec.target, value=str(bench.folder / "code" / f"{n}_defs.py"))
        )
        for spec, n in ((first, "one"), (second, "two"))
    )
    for spec in (first, second):
        await bench.load(spec, "spawn")
    loads = await asyncio.gather(bench.load(first, "fork"), bench.load(second, "fork"))
    assert [load.runner.start_method for load in loads] == ["fork", "fork"]
    assert [load.told for load in loads] == [["both"], ["both"]]
    assert len(list(bench.pools)) == 1


async def test_a_package_that_is_no_longer_named_is_forgotten(bench, newest, packages):
    for name in ("kept", "dropped"):
        (packages / f"{name}.py").write_text("")
    told = PRELOADED.format(names={"kept", "dropped"})
    spec = installed(bench, newest, packages, telling(told + "\nimport kept, dropped"))
    await bench.load(spec, "spawn")
    assert (await bench.load(spec, "fork")).told == ["dropped", "kept"]
    spec = installed(bench, newest, packages, telling(told + "\nimport kept"))
    while (loaded := await bench.load(spec, "fork")).told != ["kept"]:
        loaded.runner.kill()
    assert loaded.runner.start_method == "fork"


async def test_a_variable_that_imports_read_decides_who_shares(bench, newest, packages):
    (packages / "reads.py").write_text("import os; seen = os.environ.get('REGION')")
    source = "import os, reads\ntold = reads.seen, os.environ['OTHER']"
    spec = installed(bench, newest, packages, telling(source))

    def located(name, region, other):
        variables = {**spec.variables, "REGION": region, "OTHER": other}
        return replace(spec, location=name, variables=variables)

    first, same = located("first", "eu", "1"), located("same", "eu", "2")
    another = located("another", "us", "3")
    await bench.load(first, "spawn")
    assert {"REGION"} == bench.profiles.of("key").variables & {"REGION", "OTHER"}
    loads = await asyncio.gather(*(bench.load(each, "fork") for each in (first, same, another)))
    assert [load.told for load in loads] == [["eu", "1"], ["eu", "2"], ["us", "3"]]
    assert [set(pool.locations) for pool in bench.pools] == [{"first", "same"}, {"another"}]


AROUND = """
import lib
with open("/proc/self/environ") as file:
    around = file.read()
told = [lib.MODE, "hunter2" in around, "fast" in around]
"""


@pytest.mark.parametrize("method", ["fork", "spare"])
async def test_no_process_shows_what_another_location_alone_was_given(
    bench, newest, packages, method
):
    """Nor its own: what it is forked from was started without. Imports find what they read."""
    (packages / "lib.py").write_text("import os\nMODE = os.environ.get('MODE')")
    plain = installed(bench, newest, packages, telling(AROUND), location="plain")
    secret = {"TOKEN": "hunter2", "MODE": "fast"}
    first = replace(
        plain, location="first", variables={**plain.variables, **secret}, own=frozenset(secret)
    )
    second = replace(plain, variables={**plain.variables, "MODE": "fast"}, own=frozenset({"MODE"}))
    for spec in (first, second, first, second):
        loaded = await bench.load(spec, method)
    assert loaded.runner.start_method == method
    assert loaded.told == ["fast", False, False]
