"""Whatever a file holds, reading it gives a config or a ConfigError, nothing else."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd.config import codelocd_toml, toml_text, yaml_text
from codelocd.config.dagster import dg, pyproject
from codelocd.config.dagster.cloud_yaml import CloudTable
from codelocd.config.dagster.location import Surroundings
from codelocd.config.dagster.workspace_yaml import Selector, WorkspaceTable
from codelocd.config.document import Document
from codelocd.config.errors import ConfigError
from codelocd.config.tables import EnvironmentTable, LocationTable
from codelocd.config.validation import parsed
from codelocd.model import Config

PATH = Path("/nowhere/file")
FEW = settings(deadline=None, max_examples=40)
NO_SURROUNDINGS = Surroundings({}, activated=False)

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
@pytest.mark.parametrize("parse", [toml_text.parse, yaml_text.parse])
def test_any_text_gives_a_document_or_one_mistake(parse, text):
    found = outcome(parse, PATH, text)
    assert isinstance(found, Document) or len(str(found).splitlines()) == len(found.problems)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (toml_text.parse, "a = " + "9" * 5000),
        (yaml_text.parse, "a: !!int x"),
        (yaml_text.parse, "a: \x00"),
        (yaml_text.parse, "? [1]\n: 2"),
        (yaml_text.parse, "--- {}\n--- {}"),
    ],
)
def test_what_the_parsers_refuse_in_unusual_ways_is_a_mistake_too(parse, text):
    assert isinstance(outcome(parse, PATH, text), ConfigError)


def test_texts_that_no_process_can_have_are_mistakes_with_their_line(tmp_path):
    toml = '[location.a]\npython_file = "a.py"\n\n[location.a.env]\nA = "x\\u0000"\n'
    with pytest.raises(ConfigError) as caught:
        toml_text.parse(tmp_path / "c.toml", toml)
    told = f"{tmp_path}/c.toml:5: location.a.env.A: holds a NUL, which no process can have"
    assert str(caught.value) == f"{told}; take it out"
    yaml = 'load_from:\n  - python_file: "a\\ud800.py"\n'
    with pytest.raises(ConfigError, match=r"w.yaml:2: .*python_file: holds half of a character"):
        yaml_text.parse(tmp_path / "w.yaml", yaml)
    long = f'[location.a.env]\nA = "{"x" * 131072}"\n'
    with pytest.raises(ConfigError, match=r":2: location.a.env.A: holds more than 131072 bytes"):
        toml_text.parse(tmp_path / "c.toml", long)
