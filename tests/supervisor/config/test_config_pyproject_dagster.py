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
        '[tool.dagster]\nmodule_nam = "a"\nmodule_name = 3',
        (
            "3: tool.dagster.module_name: must be a string, "
            'not a whole number; write it in quotes: "3"'
        ),
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


PASSED_OVER = [
    (
        '[tool.dagster]\nproject_name = "shop"\nmodule_name = "a"',
        ["a"],
        '2: tool.dagster.project_name: unknown key; passed over; did you mean "module_name"?',
    ),
    (
        '[tool.dagster]\nmodule_nam = "b"\nmodule_name = "a"',
        ["a"],
        '2: tool.dagster.module_nam: unknown key; passed over; did you mean "module_name"?',
    ),
    (
        '[tool.dagster]\nmodule_name = "a"\n[tool.dagster.mine]\nx = 1',
        ["a"],
        (
            "3: tool.dagster.mine: unknown key; passed over; "
            "valid here: module_name, modules, code_location_name"
        ),
    ),
    (
        '[tool.dagster]\nmodules = [{type = "module", name = "a", nam = "b"}]',
        ["a"],
        '2: tool.dagster.modules[0].nam: unknown key; passed over; did you mean "name"?',
    ),
    (
        '[tool.dagster]\nmodules = [{type = "package", name = "b"}, {type = "module", name = "a"}]',
        ["a"],
        '2: tool.dagster.modules[0].type: is "package"; passed over; write type = "module"',
    ),
    ('[tool.dagster]\nmodules = []\nmodule_name = "a"', ["a"], None),
    ('[tool.dagster]\nmodules = "x"\nmodule_name = "a"', ["a"], None),
    ("[tool.dagster]", [], "1: tool.dagster: names no module; passed over; add module_name"),
    ('[tool.dagster]\n[tool.dg.project]\nroot_module = "a"', ["folder"], None),
]


@pytest.mark.parametrize(("text", "names", "note"), PASSED_OVER)
def test_what_dagster_passes_over_is_a_warning(folder, text, names, note):
    folder.write("folder/pyproject.toml", text)
    config = folder.load("folder/pyproject.toml")
    assert [each.name for each in config.locations] == names
    assert [each.replace(f"{folder.path}/folder/pyproject.toml:", "") for each in config.notes] == (
        [note] if note else []
    )
