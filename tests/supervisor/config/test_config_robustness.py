"""Whatever a file holds, reading it gives a config or a ConfigError, nothing else."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd import config
from codelocd.config import codelocd_toml
from codelocd.config.dagster import ReadingContext, dg, pyproject
from codelocd.config.dagster.cloud_yaml import CloudTable
from codelocd.config.dagster.workspace_yaml import Selector, WorkspaceTable
from codelocd.config.document import Document
from codelocd.config.environment import EnvironmentTable
from codelocd.config.errors import ConfigError
from codelocd.config.syntax import parse_toml, parse_yaml
from codelocd.config.tables import LocationTable
from codelocd.config.validation import parsed
from codelocd.config.variables import MOST
from codelocd.model import Config

PATH = Path("/nowhere/file")
FEW = settings(deadline=None, max_examples=40)
NO_SURROUNDINGS = ReadingContext({}, activated=False)

words = [
    *("daemon", "defaults", "location", "load_from", "locations", "code_source", "modules"),
    *("directory_type", "workspace", "project", "projects", "path", "root_module", "type"),
    *("location_name", "env", "from_env", "port", "module_name", "build"),
    *Selector.model_fields,
    *LocationTable.model_fields,
    *EnvironmentTable.model_fields,
]
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["on-change", "auto", "3s", "2GiB", "project", "workspace", "module"]),
    st.just(datetime.date(2024, 1, 1)),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(words), inner, max_size=4),
    ),
    max_leaves=12,
)
tables = st.dictionaries(st.sampled_from(words), values, max_size=6)
names = st.sampled_from(["a", "b", "a b"])
codelocd_tables = st.fixed_dictionaries(
    {"location": st.dictionaries(names, tables)}, optional={"defaults": tables, "daemon": tables}
)


def outcome(read, *arguments):
    try:
        return read(*arguments)
    except ConfigError as error:
        return error


def document(data):
    return Document(PATH, data, lambda _: None)


@FEW
@given(codelocd_tables)
def test_any_tables_of_codelocd_toml_give_a_config_or_its_mistakes(data):
    found = outcome(codelocd_toml.read, document(data), {})
    assert isinstance(found, Config | ConfigError)


@FEW
@given(tables)
@pytest.mark.parametrize("read", [dg.read, pyproject.read])
def test_any_tables_of_dagsters_toml_give_a_config_or_its_mistakes(read, data):
    found = outcome(read, document(data), NO_SURROUNDINGS)
    assert isinstance(found, Config | ConfigError)


@FEW
@given(tables)
@pytest.mark.parametrize("model", [WorkspaceTable, CloudTable])
def test_any_mappings_of_dagsters_yaml_give_a_model_or_its_mistakes(model, data):
    found = outcome(parsed, document(data), model, {})
    assert isinstance(found, model | ConfigError)


@FEW
@given(st.text(alphabet="a=[]{}\"'#.,:-!&*<>|\n\t 1T\x00é", max_size=60))
@pytest.mark.parametrize("parse", [parse_toml, parse_yaml])
def test_any_text_gives_a_document_or_one_mistake(parse, text):
    found = outcome(parse, PATH, text)
    assert isinstance(found, Document) or len(str(found).splitlines()) == len(found.problems)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_toml, "a = " + "9" * 5000),
        (parse_yaml, "a: !!int x"),
        (parse_yaml, "a: \x00"),
        (parse_yaml, "? [1]\n: 2"),
        (parse_yaml, "--- {}\n--- {}"),
    ],
)
def test_what_the_parsers_refuse_in_unusual_ways_is_a_mistake_too(parse, text):
    assert isinstance(outcome(parse, PATH, text), ConfigError)


def test_texts_that_no_process_can_have_are_mistakes_with_their_line(tmp_path):
    toml = '[location.a]\npython_file = "a.py"\n\n[location.a.env]\nA = "x\\u0000"\n'
    [found] = parse_toml(tmp_path / "c.toml", toml).unfit
    told = f"{tmp_path}/c.toml:5: location.a.env.A: holds a NUL, which no process can have"
    assert str(found) == f"{told}; take it out"
    yaml = 'load_from:\n  - python_file: "a\\ud800.py"\n'
    [found] = parse_yaml(tmp_path / "w.yaml", yaml).unfit
    assert "w.yaml:2: load_from[0].python_file: holds half of a character" in str(found)
    long = f'[location.a.env]\nA = "{"x" * 131072}"\n'
    [found] = parse_toml(tmp_path / "c.toml", long).unfit
    assert ":2: location.a.env.A: holds more than 131072 bytes" in str(found)


def test_a_text_that_no_process_can_have_hides_no_other_mistake(folder):
    folder.write(
        "codelocd.toml",
        """\
        [location.a]
        python_fil = "a.py"
        env_file = "no\\u0000where"
        env = { A = "x\\u0000y", "B\\u0000" = "z" }

        [location.b]
        module = "b"
        env_file = "gone"
        start_timeout = "soon"
        """,
    )
    lines = [line.partition(";")[0] for line in folder.problems("codelocd.toml")]
    nul, units = "holds a NUL, which no process can have", "with one of ms, s, min, h, d"
    assert lines == [
        "codelocd.toml:1: location.a: names no code",
        "codelocd.toml:2: location.a.python_fil: unknown key",
        f"codelocd.toml:3: location.a.env_file: {nul}",
        f"codelocd.toml:4: location.a.env.A: {nul}",
        f"codelocd.toml:4: location.a.env: {nul}",
        "codelocd.toml:8: location.b.env_file: no such file: gone",
        f"codelocd.toml:9: location.b.start_timeout: is neither a number nor a number {units}",
    ]


def test_a_text_that_no_process_can_have_in_a_ring_of_aliases_is_one_mistake(folder):
    folder.write("workspace.yaml", 'load_from: &a\n  - python_file: "x\\0.py"\n  - *a\n')
    lines = folder.problems("workspace.yaml")
    assert sum("holds a NUL" in line for line in lines) == 1


@pytest.mark.parametrize("path", ["x" * 256, "é" * 128 + ".py", "a/" * 2048, "a/" + "x" * 300])
def test_a_path_that_no_file_can_have_is_a_mistake_with_its_line(tmp_path, path):
    told = "is longer than the path of a file can be; correct the path"
    file = tmp_path / "codelocd.toml"
    for key in ("python_file", "working_directory", "env_file"):
        code = "" if key == "python_file" else 'module = "m"'
        file.write_text(f'[location.a]\n{code}\n{key} = "{path}"\n')
        with pytest.raises(ConfigError) as caught:
            config.load(file, {}, activated=False)
        assert str(caught.value) == f"{file}:3: location.a.{key}: {told}"
    for key, value in (("requirements", f'["{path}"]'), ("lock", f'"{path}"')):
        file.write_text(f'[location.a]\nmodule = "m"\n[location.a.environment]\n{key} = {value}\n')
        with pytest.raises(ConfigError, match=rf"toml:4: location.a.environment.{key}\S*: {told}"):
            config.load(file, {}, activated=False)
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(f"load_from:\n  - python_file: {path}\n")
    with pytest.raises(ConfigError, match=rf"yaml:2: load_from\[0\].python_file: {told}"):
        config.load(workspace, {}, activated=False)


def test_a_variable_that_no_process_can_have_is_a_mistake_whatever_its_value_comes_from(tmp_path):
    file = tmp_path / "codelocd.toml"
    most = 128 * 1024 - len("NAME=") - 1
    given = f'[location.a]\nmodule = "m"\n[location.a.env]\nNAME = "{"x" * most}"\n'
    file.write_text(given)
    [spec] = config.load(file, {}, activated=False).locations
    subprocess.run(["/bin/true"], env=dict(spec.variables), check=True)
    told = "toml:4: location.a.env.NAME: is longer than a process can have"
    file.write_text(given.replace("xx", "xxx", 1))
    with pytest.raises(ConfigError, match=told):
        config.load(file, {}, activated=False)
    file.write_text(given.replace(f'"{"x" * most}"', '{ from_env = "O" }'))
    with pytest.raises(ConfigError, match=told):
        config.load(file, {"O": "x" * (most + 1)}, activated=False)
    config.load(file, {"O": "x" * most}, activated=False)
    (tmp_path / ".e").write_text(f"NAME={'x' * (most + 1)}\n")
    file.write_text('[location.a]\nmodule = "m"\nenv_file = ".e"\n')
    with pytest.raises(ConfigError, match=r"\.e:1: NAME: is longer than a process can have"):
        config.load(file, {}, activated=False)


def test_variables_that_no_process_can_have_together_are_a_mistake(tmp_path):
    file = tmp_path / "codelocd.toml"
    count = MOST // 100_000 + 1
    lines = [f'V{number} = "{"x" * 100_000}"\n' for number in range(count)]
    file.write_text(f'[location.a]\nmodule = "m"\n[location.a.env]\n{"".join(lines)}')
    told = "toml:3: location.a.env: has, with those of codelocd itself, more than a process can"
    with pytest.raises(ConfigError, match=told):
        config.load(file, {}, activated=False)
    (tmp_path / ".e").write_text("".join(lines))
    file.write_text('[location.a]\nmodule = "m"\nenv_file = ".e"\n')
    with pytest.raises(ConfigError, match=r"\.e: has more variables than a process can have"):
        config.load(file, {}, activated=False)


def test_what_other_tools_write_into_a_pyproject_is_theirs(tmp_path):
    file = tmp_path / "pyproject.toml"
    table = '[tool.codelocd.location.a]\nmodule = "m"\n'
    file.write_text(table + f'[tool.other]\na = "\\u0000"\nlong = "{"x" * 200_000}"\n')
    assert [spec.name for spec in config.load(file, {}, activated=False).locations] == ["a"]
    file.write_text(table + 'env = { A = "\\u0000" }\n')
    with pytest.raises(ConfigError, match=r"toml:3: tool.codelocd.location.a.env.A: holds a NUL"):
        config.load(file, {}, activated=False)


def test_a_file_that_no_person_wrote_is_not_read_into_memory(tmp_path):
    file = tmp_path / "codelocd.toml"
    with file.open("wb") as made:
        made.truncate(64 * 2**30)
    with pytest.raises(ConfigError, match=r"codelocd\.toml: cannot be read: File too large"):
        config.load(file, {}, activated=False)
