"""dg.toml and [tool.dg], of projects and workspaces."""

from __future__ import annotations

import pytest

from codeloc_envs import Request
from codelocd.model import Target

PROJECT = 'directory_type = "project"\n[project]\nroot_module = "shop"\n'


def test_a_project_is_its_root_modules_definitions_under_the_folders_name(folder):
    folder.path.joinpath("my-shop").mkdir()
    location = folder.one("my-shop/dg.toml", PROJECT)
    root = folder.path / "my-shop"
    assert (location.name, location.target) == ("my-shop", Target("module", "shop.definitions"))
    assert location.working_directory == root
    assert location.declared_in == f"{root}/dg.toml [project]"
    assert location.environment is None


def test_a_project_with_a_src_layout_runs_there(folder):
    folder.write("src/shop/__init__.py", "")
    assert folder.one("dg.toml", PROJECT).working_directory == folder.path / "src"


@pytest.mark.parametrize(
    ("keys", "target"),
    [
        ('code_location_target_module = "shop.defs"', Target("module", "shop.defs")),
        ("autoload_defs = true", Target("autoload_defs_module", "shop.defs")),
        (
            'autoload_defs = true\ndefs_module = "shop.all"',
            Target("autoload_defs_module", "shop.all"),
        ),
        ('defs_module = "shop.all"', Target("module", "shop.definitions")),
    ],
)
def test_a_project_may_name_its_module(folder, keys, target):
    folder.path.joinpath("dg.toml").write_text(PROJECT + keys)
    [location] = folder.load("dg.toml").locations
    assert location.target == target


def test_a_project_may_stand_under_tool_dg_and_need_not_say_its_type(folder):
    text = '[tool.dg.project]\nroot_module = "shop"\ncode_location_name = "store"'
    location = folder.one("pyproject.toml", text)
    assert location.name == "store"
    assert location.declared_in == f"{folder.path}/pyproject.toml [tool.dg.project]"


def test_a_workspace_has_the_locations_of_its_projects(folder):
    folder.write(
        "dg.toml",
        """\
        directory_type = "workspace"
        [workspace]
        projects = [{path = "a"}, {path = "libs/b"}]
        [workspace.scaffold_project_options]
        use_editable_dagster = true
        [cli]
        verbose = true
        use_component_modules = ["x"]
        suppress_warnings = ["y"]
        [cli.telemetry]
        enabled = false
        """,
    )
    folder.write("a/dg.toml", PROJECT)
    folder.write("a/pyproject.toml", '[tool.dg.project]\nroot_module = "hidden"')
    folder.write("libs/b/pyproject.toml", '[tool.dg.project]\nroot_module = "bakery"')
    config = folder.load("dg.toml")
    root = folder.path
    assert [(each.name, each.target.value) for each in config.locations] == [
        ("a", "shop.definitions"),
        ("b", "bakery.definitions"),
    ]
    assert config.files == (root / "dg.toml", root / "a/dg.toml", root / "libs/b/pyproject.toml")


def test_a_projects_env_file_wins_over_the_workspaces(folder):
    folder.write("dg.toml", '[workspace]\nprojects = [{path = "a"}]')
    folder.write("a/dg.toml", PROJECT)
    folder.write(".env", "A=workspace\nB=workspace\nC=file\n")
    folder.write("a/.env", "B=project\nDG_PROJECT_PYTHON_EXECUTABLE=/opt/py/bin/python\n")
    config = folder.load("dg.toml", {"C": "real"})
    [location] = config.locations
    assert location.variables == {
        "A": "workspace",
        "B": "project",
        "DG_PROJECT_PYTHON_EXECUTABLE": "/opt/py/bin/python",
    }
    assert location.env_file == folder.path / "a/.env"
    assert location.environment == Request(python="/opt/py/bin/python")
    assert folder.path / ".env" in config.files


def test_the_projects_of_a_uv_workspace_share_its_environment(folder):
    uv = "[tool.uv.workspace]\nmembers = ['projects/*']\nexclude = ['projects/c']\n"
    folder.write("pyproject.toml", uv)
    folder.write(".venv/bin/python", "")
    names = ("a", "b", "c")
    projects = ", ".join(f'{{path = "projects/{name}"}}' for name in names)
    folder.write("dg.toml", f"[workspace]\nprojects = [{projects}]")
    for name in names:
        folder.write(f"projects/{name}/dg.toml", PROJECT)
    folder.path.joinpath("projects/b/.venv").mkdir()
    shared, own, excluded = folder.load("dg.toml").locations
    assert shared.environment == Request(python=str(folder.path / ".venv/bin/python"))
    assert (own.environment, excluded.environment) == (None, None)


def test_what_a_uv_workspace_excludes_does_not_get_its_environment(folder):
    uv = "[tool.uv.workspace]\nmembers = ['packages/*/*']\nexclude = ['packages/x*']\n"
    folder.write("pyproject.toml", uv)
    folder.write(".venv/bin/python", "")
    folder.write("dg.toml", '[workspace]\nprojects = [{path = "packages/x/a"}]')
    folder.write("packages/x/a/dg.toml", PROJECT)
    folder.write("packages/x/a/pyproject.toml", "[project]\nname = 'a'\n")
    [location] = folder.load("dg.toml").locations
    assert location.environment is None


def test_keys_of_a_project_that_are_for_the_cloud_are_reported(folder):
    keys = 'agent_queue = "q"\nimage = "i"\nregistry_modules = ["shop.components"]\n'
    folder.path.joinpath("dg.toml").write_text(PROJECT + keys)
    assert folder.load("dg.toml").notes == (
        f"{folder.path}/dg.toml:4: project.agent_queue has no effect here",
        f"{folder.path}/dg.toml:5: project.image has no effect here",
    )


MISTAKES = [
    (
        "",
        'dg.toml: does not say what the folder is; write directory_type = "project" or "workspace"',
    ),
    (
        'directory_type = "folder"',
        'dg.toml:1: directory_type: must not be "folder"; valid here: workspace, project',
    ),
    ('directory_type = "project"', "dg.toml: has no table project; add it, with root_module"),
    ("[project]", "dg.toml:1: project.root_module: is missing; add it"),
    (
        "[project]\nroot_module = 3",
        (
            "dg.toml:2: project.root_module: must be a string, "
            'not a whole number; write it in quotes: "3"'
        ),
    ),
    (
        '[project]\nroot_module = "a"\nroot_modul = "b"',
        'dg.toml:3: project.root_modul: unknown key; did you mean "root_module"?',
    ),
    (
        '[workspace]\nprojects = [{path = "a"}]',
        (
            "dg.toml:2: workspace.projects[0].path: DIR/a has neither dg.toml nor [tool.dg] in "
            "pyproject.toml; correct the path or remove the entry"
        ),
    ),
    (
        '[workspace]\nprojects = [{path = "."}]',
        (
            "dg.toml:2: workspace.projects[0].path: DIR/dg.toml is a workspace; "
            "name the projects in it one by one"
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_remedy(folder, text, problem):
    folder.write("dg.toml", text)
    assert folder.problems("dg.toml") == [problem.replace("DIR/", "")]


def test_the_mistakes_of_all_projects_are_reported_at_once(folder):
    folder.write("dg.toml", '[workspace]\nprojects = [{path = "a"}, {path = "b"}]')
    folder.write("a/dg.toml", "[project]\n")
    folder.write("b/dg.toml", "[project\n")
    assert folder.problems("dg.toml") == [
        "a/dg.toml:1: project.root_module: is missing; add it",
        (
            "b/dg.toml:1: is not valid TOML: Expected ']' at the end of a table declaration; "
            "correct the syntax there"
        ),
    ]


UNREAD = """\
[tool.dg]
directory_typ = "project"
[tool.dg.cli]
verbose = "very"
[tool.dg.cli.plus]
organization = "acme"
[tool.dg.project]
root_module = "shop"
registry_modules = 3
python_environment = "uv"
[tool.dg.mine]
"""


def test_under_tool_dg_what_dagster_dev_passes_over_is_a_warning(folder):
    folder.write("shop/pyproject.toml", UNREAD)
    config = folder.load("shop/pyproject.toml")
    assert [each.name for each in config.locations] == ["shop"]
    said = {note.replace(f"{folder.path}/shop/pyproject.toml", "") for note in config.notes}
    assert said == {
        ':2: tool.dg.directory_typ: unknown key; passed over; did you mean "directory_type"?',
        ":3: tool.dg.cli: must be true or false, not a string; passed over; write true or false",
        (
            ":9: tool.dg.project.registry_modules: must be a list, not a whole number; "
            "passed over; write a list"
        ),
        ":10: tool.dg.project.python_environment has no effect here",
        (
            ":11: tool.dg.mine: unknown key; passed over; "
            "valid here: directory_type, workspace, project, cli"
        ),
    }


def test_settings_of_dgs_commands_alone_list_nothing(folder):
    folder.write("pyproject.toml", "[tool.dg.cli]\nverbose = true\n")
    assert folder.load("pyproject.toml").locations == ()
