"""[tool.dagster] in pyproject.toml."""

from __future__ import annotations

import pytest

from codelocd.model import Target


def test_a_module_is_named_after_itself(folder):
    location = folder.one("pyproject.toml", '[tool.dagster]\nmodule_name = "a.defs"')
    assert (location.name, location.target) == ("a.defs", Target("module", "a.defs"))
    assert location.working_directory == folder.path
    assert location.declared_in == f"{folder.path}/pyproject.toml [tool.dagster.module_name]"


def test_a_module_may_have_another_name(folder):
    text = '[tool.dagster]\nmodule_name = "a"\ncode_location_name = "my location"'
    assert folder.one("pyproject.toml", text).name == "my location"


def test_several_modules_are_several_locations(folder):
    folder.write(
        "pyproject.toml",
        """\
        [tool.dagster]
        modules = [{type = "module", name = "a"}, {type = "module", name = "b"}]
        [tool.ruff]
        line-length = 100
        """,
    )
    locations = folder.load("pyproject.toml").locations
    assert [each.name for each in locations] == ["a", "b"]


def test_tool_dagster_comes_before_tool_dg(folder):
    text = '[tool.dg.project]\nroot_module = "b"\n[tool.dagster]\nmodule_name = "a"'
    assert folder.one("pyproject.toml", text).name == "a"


MISTAKES = [
    (
        "[tool.dagster]",
        "1: tool.dagster: must have either module_name or modules; give one of the two",
    ),
    (
        '[tool.dagster]\nmodule_name = "a"\nmodules = [{type = "module", name = "b"}]',
        "1: tool.dagster: must have either module_name or modules; give one of the two",
    ),
    (
        "[tool.dagster]\nmodules = []",
        "2: tool.dagster.modules: is empty; give it a value or leave it out",
    ),
    (
        "[tool.dagster]\nmodules = 3",
        "2: tool.dagster.modules: must be a list, not a whole number; write a list",
    ),
    (
        '[tool.dagster]\nmodules = ["a"]',
        "2: tool.dagster.modules[0]: must be a table, not a string; write a table",
    ),
    (
        '[tool.dagster]\nmodules = [{name = "a"}]',
        "2: tool.dagster.modules[0].type: is missing; add it",
    ),
    (
        '[tool.dagster]\nmodules = [{type = "module"}]',
        "2: tool.dagster.modules[0].name: is missing; add it",
    ),
    (
        '[tool.dagster]\nmodules = [{type = "package", name = "a"}]',
        '2: tool.dagster.modules[0].type: must not be "package"; valid here: module',
    ),
    (
        '[tool.dagster]\nmodule_nam = "a"\nmodule_name = "a"',
        '2: tool.dagster.module_nam: unknown key; did you mean "module_name"?',
    ),
    (
        '[tool.dagster]\nmodules = [{type = "module", name = "a", nam = "b"}]',
        '2: tool.dagster.modules[0].nam: unknown key; did you mean "name"?',
    ),
    ("[tool]\ndagster = 3", "2: tool.dagster: must be a table; see docs/config.md"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_remedy(folder, text, problem):
    folder.write("pyproject.toml", text)
    assert folder.problems("pyproject.toml") == [f"pyproject.toml:{problem}"]


def test_one_name_for_several_modules_is_an_error_that_names_both(folder):
    folder.write(
        "pyproject.toml",
        """\
        [tool.dagster]
        code_location_name = "x"
        modules = [{type = "module", name = "a"}, {type = "module", name = "b"}]
        """,
    )
    assert folder.problems("pyproject.toml") == [
        (
            'pyproject.toml [tool.dagster.modules[1]]: location "x" is also declared in '
            "pyproject.toml [tool.dagster.modules[0]]; give one of them another name"
        )
    ]
