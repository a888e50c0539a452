"""`config.examine`: what a config names and this machine does not have."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

from codeloc_envs import Choice, Store, choose
from codelocd import config
from codelocd.config import Mistake
from codelocd.daemon import sources
from codelocd.model import LocationSpec

CONFIG = """\
[daemon]
socket_group = "no-such-group"
store = "ok.py"
[index]
url = "pypi"
find_links = ["wheels"]
[defaults]
attribute = "defs()"
[location.a]
python_file = "gone.py"
env_file = "gone.env"
[location.b]
python_file = "folder"
working_directory = "ok.py"
[location.c]
module = "sales.definitons"
[location.c.environment]
python = "3.x"
packages = ["pandas>>2", "numpy"]
[location.d]
module = "sales-x"
relod = "manual"
[location.d.environment]
python = "2.7"
requirements = ["reqs.txt", "gone.txt", "folder"]
[location.e]
package = "sales/__init__.py"
environment = { lock = "uv.lock" }
[location.f]
python_file = "ok.py"
environment = { project = "ok.py" }
[location.g]
python_file = "ok.py"
env_file = "folder"
environment = { path = ".venv" }
"""

MISTAKES = """\
codelocd.toml:2: daemon.socket_group: there is no group 'no-such-group'; create it
codelocd.toml:3: daemon.store: is a file: DIR/ok.py; name a folder
codelocd.toml:5: index.url: is no address of an index; write it as https://
codelocd.toml:6: index.find_links[0]: no such file or folder: DIR/wheels; create it
codelocd.toml:8: defaults.attribute: 'defs()' is not a name in Python; write
codelocd.toml:10: location.a.python_file: no such file: DIR/gone.py; create it
codelocd.toml:11: location.a.env_file: no such file: DIR/gone.env; create it
codelocd.toml:13: location.b.python_file: is a folder: DIR/folder; name the file
codelocd.toml:14: location.b.working_directory: is a file: DIR/ok.py; name a folder
codelocd.toml:16: location.c.module: there is no module definitons in DIR/sales; did you
codelocd.toml:18: location.c.environment.python: "3.x" is no Python version; write
codelocd.toml:19: location.c.environment.packages[0]: 'pandas>>2' is no requirement: Expected
codelocd.toml:21: location.d.module: 'sales-x' is not a module's name; write
codelocd.toml:22: location.d.relod: unknown key; did you mean "reload"?
codelocd.toml:24: location.d.environment.python: no Python here fits 2.7; there is: 3.
codelocd.toml:25: location.d.environment.requirements[1]: requirements file DIR/gone.txt does
codelocd.toml:25: location.d.environment.requirements[2]: is a folder: DIR/folder; name a
codelocd.toml:27: location.e.package: 'sales/__init__.py' is a path, not a module's name; write
codelocd.toml:28: location.e.environment.lock: no such file: DIR/uv.lock; create it
codelocd.toml:31: location.f.environment.project: is a file: DIR/ok.py; name its folder
codelocd.toml:34: location.g.env_file: is a folder: DIR/folder; name a file
codelocd.toml:35: location.g.environment.path: the environment DIR/.venv (asked for) does not
reqs.txt:3: 'no good' is no requirement: Expected"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("sales", "folder"):
        (tmp_path / folder).mkdir()
    for file in ("ok.py", "sales/__init__.py", "sales/definitions.py"):
        (tmp_path / file).touch()
    (tmp_path / "reqs.txt").write_text(
        "pandas\n-r more.txt\nno good\nx @ https://h/x.whl\n./local\n-e .\n"
        "numpy==1.0 \\\n  --hash=sha256:00\nfrom-${NAME}\n"
        "requests[socks]>=2; python_version > '3'\n"
    )
    (tmp_path / "more.txt").write_text("# nothing\n")
    return tmp_path


def examined(path: Path) -> list[Mistake]:
    def chosen(spec: LocationSpec) -> Choice:
        return choose(spec.environment, code=sources.code(spec))

    store = Store(path.parent / "store")
    (path.parent / "store" / "cache").mkdir(parents=True, exist_ok=True)
    return config.examine(path, os.environ, store.pythons, chosen)[1]


def test_everything_is_told_at_once_in_the_order_of_the_file(project: Path) -> None:
    path = project / "codelocd.toml"
    path.write_text(CONFIG)
    found = [str(mistake) for mistake in examined(path)]
    expected = [f"{project}/{each}" for each in MISTAKES.replace("DIR", str(project)).splitlines()]
    assert len(found) == len(expected), "\n".join(found)
    for line, begin in zip(found, expected, strict=True):
        assert line.startswith(begin)


def test_a_missing_requirements_file_hides_nothing_else_in_the_others(project: Path) -> None:
    (project / "reqs.txt").write_text("-r gone.txt\nno good\n-r more.txt\n-c lost.txt\n")
    (project / "more.txt").write_text("six>>1\n-r reqs.txt\n")
    path = project / "codelocd.toml"
    path.write_text(
        '[location.a]\npython_file = "ok.py"\nenvironment = { requirements = ["reqs.txt"] }\n'
    )
    told = "\n".join(str(mistake) for mistake in examined(path))
    assert f"gone.txt does not exist (included by {project}/reqs.txt, line 1)" in told
    assert f"{project}/reqs.txt:2: 'no good' is no requirement" in told
    assert f"{project}/more.txt:1: 'six>>1' is no requirement" in told
    assert f"include each other: {project}/reqs.txt -> {project}/more.txt -> {project}/reqs" in told
    assert f"lost.txt does not exist (included by {project}/reqs.txt, line 4)" in told
    assert told.count("\n") == 4


@pytest.mark.parametrize(
    ("table", "mistake"),
    [
        ('module = "nosuch"', "module: there is no module nosuch in DIR, and its environment has"),
        ('module = "salse"', 'has no packages; did you mean "sales"?'),
        ('module = "sales.definitions.x"', "there is no module x in DIR/sales/definitions"),
        (
            'python_file = "ok.py"\nenvironment = { project = "sales" }',
            "environment: project file DIR/sales/pyproject.toml does not exist; create it",
        ),
        (
            'python_file = "ok.py"\nenvironment = { python = ">=3.99" }',
            "environment.python: no Python here fits >=3.99; there is",
        ),
        ('python_file = "ok.py"\nenvironment = { python = "./py" }', "DIR/py (asked for) does not"),
    ],
)
def test_one_location_is_looked_at_whole(project: Path, table: str, mistake: str) -> None:
    path = project / "codelocd.toml"
    path.write_text(f"[location.a]\n{table}\n")
    [found] = examined(path)
    assert mistake.replace("DIR", str(project)) in str(found)


@pytest.mark.parametrize(
    "table",
    [
        'module = "sales.definitions"\nattribute = "a.b"',
        'module = "installed.defs"\nenvironment = { packages = ["installed"] }',
        'python_file = "ok.py"\nenvironment = { packages = ["a @ file:///x", "b[c]>=1,<2"] }',
        'python_file = "ok.py"\nenvironment = { python = "9.9", allow_python_download = true }',
    ],
)
def test_what_may_be_right_is_no_mistake(project: Path, table: str) -> None:
    path = project / "codelocd.toml"
    path.write_text(f"[location.a]\n{table}\n")
    assert examined(path) == []


def test_dagsters_formats_are_looked_at_too(project: Path) -> None:
    path = project / "workspace.yaml"
    path.write_text(
        "load_from:\n  - python_file: gone.py\n  - python_module:\n      module_name: nosuch\n"
        "  - python_file:\n      relative_path: ok.py\n      executable_path: nope/python\n"
    )
    first, second, third = map(str, examined(path))
    assert first.startswith(
        f'{path}:2: load_from[0]: location "gone.py", python_file: no such file: {project}/gone.py'
    )
    assert second.startswith(f'{path}:3: load_from[1]: location "nosuch", module: there is no')
    assert third.startswith(f'{path}:5: load_from[2]: location "ok.py", environment.python: the')


NEIGHBOURS = {
    "workspace.yaml": (
        """\
        load_from:
          - python_fil: a.py
          - python_file: "b\\0.py"
          - python_file: gone.py
          - python_module: {module_name: nosuch, location_name: a/b}
          - python_module: nosuch
        """,
        [
            '2: load_from[0].python_fil: unknown key; did you mean "python_file"?',
            "3: load_from[1].python_file: holds a NUL, which no process can have",
            '4: load_from[2]: location "gone.py", python_file: no such file: ',
            "5: load_from[3]: 'a/b' is not a name for a location",
            '6: load_from[4]: location "nosuch", module: there is no module nosuch',
        ],
    ),
    "dagster_cloud.yaml": (
        """\
        locations:
          - location_name: a
            code_source: {modul_name: nosuch}
          - location_name: b
            code_source: {python_file: "{{ x }}.py"}
          - location_name: c
            code_source: {python_file: gone.py}
        defaults:
          imag: x
        """,
        [
            '3: locations[0].code_source.modul_name: unknown key; did you mean "module_name"?',
            "5: locations[1].code_source.python_file: holds a template, which is not rendered",
            '6: locations[2]: location "c", python_file: no such file: ',
            '9: defaults.imag: unknown key; did you mean "image"?',
        ],
    ),
    "dg.toml": (
        """\
        directory_type = "workspace"
        [[workspace.projects]]
        paht = "one"
        [[workspace.projects]]
        path = "gone"
        [[workspace.projects]]
        path = "folder"
        """,
        [
            '3: workspace.projects[0].paht: unknown key; did you mean "path"?',
            "2: workspace.projects[0].path: is missing; add it",
            "5: workspace.projects[1].path: ",
            'folder/dg.toml:2: project: location "folder", module: there is no',
        ],
    ),
    "pyproject.toml": (
        """\
        [tool.dagster]
        modules = [
            {type = "module"},
            {type = "module", name = "nosuch"},
        ]
        """,
        [
            "tool.dagster.modules[0].name: is missing; add it",
            'tool.dagster.modules[1]: location "nosuch", module: there is no module nosuch',
        ],
    ),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_broken_entry_of_dagsters_formats_hides_no_mistake_of_its_neighbours(
    project: Path, name: str
) -> None:
    text, told = NEIGHBOURS[name]
    member = '[project]\nroot_module = "nosuch"\n'
    (project / "folder" / "dg.toml").write_text(f'directory_type = "project"\n{member}')
    path = project / name
    path.write_text(dedent(text))
    found = [str(mistake) for mistake in examined(path)]
    assert len(found) == len(told), "\n".join(found)
    for expected in told:
        assert any(expected in mistake for mistake in found), (expected, found)


def test_what_cannot_be_read_hides_nothing_else_of_other_locations_nor_of_its_own(
    project: Path,
) -> None:
    (project / "folder" / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n')
    path = project / "codelocd.toml"
    path.write_text(
        '[location.a]\npython_file = "ok.py"\nenv_file = "gone.env"\nstart_timeout = "soon"\n'
        'environment = { project = "folder", extras = ["nope"] }\n'
        '[location.b]\nmodule = "nosuch"\nenv = { A = { from_env = "NOT_SET_ANYWHERE" } }\n'
        '[location.c]\npython_file = "ok.py"\n'
        'environment = { project = "folder", groups = ["dev"] }\n'
        '[location.d]\npython_file = "ok.py"\n'
    )
    found = examined(path)
    assert [mistake.line for mistake in found] == [3, 4, 5, 7, 8, 11], found
    extra, module, group = (str(found[i]) for i in (2, 3, 5))
    assert 'has no extra "nope"' in extra
    assert "there is no module nosuch" in module
    assert 'group "dev"' in group


def test_a_credential_is_looked_for_where_there_is_a_folder_of_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / "codelocd.toml"
    path.write_text('[location.a]\npython_file = "ok.py"\nenv = { K = { credential = "key" } }\n')
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert examined(path) == []
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(project))
    [found] = examined(path)
    assert (found.line, "LoadCredential=key:/PATH" in found.remedy) == (3, True)
    (project / "key").write_text("x")
    assert examined(path) == []


def test_text_that_is_no_config_is_one_mistake(project: Path) -> None:
    path = project / "codelocd.toml"
    path.write_text("[location")
    [found] = examined(path)
    assert found.line == 1
