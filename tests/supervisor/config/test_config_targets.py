"""What a command line names."""

from __future__ import annotations

import pytest

from codeloc_envs import Request
from codelocd.model import Target


def names(config):
    return [each.name for each in config.locations]


def test_each_target_is_a_location_named_after_its_stem_or_module(folder):
    config = folder.from_targets(
        python_files=["sub/defs.py"], modules=["pkg.mod"], packages=["other"]
    )
    file, module, package = config.locations
    assert names(config) == ["defs", "pkg.mod", "other"]
    assert file.target == Target("python_file", f"{folder.path}/sub/defs.py")
    assert (module.target, package.target) == (
        Target("module", "pkg.mod"),
        Target("package", "other"),
    )
    assert {each.working_directory for each in config.locations} == {folder.path}
    assert all(each.activated_allowed for each in config.locations)
    assert file.declared_in == "command line -f sub/defs.py"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a/defs.py", "b/defs.py"], ["a.defs", "b.defs"]),
        (["a/defs.py", "b/defs.py", "c.py"], ["a.defs", "b.defs", "c"]),
        (["x/a/defs.py", "y/a/defs.py", "b/defs.py"], ["x.a.defs", "y.a.defs", "b.defs"]),
        (["a/defs.py", "./b/../b/defs.py"], ["a.defs", "b.defs"]),
    ],
)
def test_where_stems_collide_each_gets_as_many_folders_as_it_needs(folder, files, expected):
    assert names(folder.from_targets(python_files=files)) == expected


def test_a_file_whose_stem_is_also_a_module_gets_its_folder(folder):
    config = folder.from_targets(python_files=["a/defs.py"], modules=["defs"])
    assert names(config) == ["a.defs", "defs"]


def test_one_file_twice_is_an_error_that_names_both(folder):
    assert folder.target_problems(modules=["a", "a"]) == [
        (
            'command line -m a: location "a" is also declared in command line -m a; '
            "give one of them another name"
        )
    ]


def test_the_working_directory_and_attribute_hold_for_the_target(folder):
    config = folder.from_targets(modules=["m"], working_directory="sub", attribute="defs")
    [location] = config.locations
    assert (location.working_directory, location.attribute) == (folder.path / "sub", "defs")


def test_several_workspaces_are_joined_with_the_other_targets(folder):
    folder.write("a.yaml", "load_from: [{python_module: a}]")
    folder.write("b/w.yaml", "load_from: [{python_module: b}]")
    config = folder.from_targets(modules=["m"], workspaces=["a.yaml", "b/w.yaml"])
    assert names(config) == ["m", "a", "b"]
    assert config.locations[2].working_directory == folder.path / "b"
    assert config.files == (folder.path / "a.yaml", folder.path / "b/w.yaml")


def test_one_name_in_two_workspaces_is_an_error_that_names_both(folder):
    for file in ("a.yaml", "b.yaml"):
        folder.write(file, "load_from: [{python_module: m}]")
    assert folder.target_problems(workspaces=["a.yaml", "b.yaml"]) == [
        (
            'b.yaml [load_from[0]]: location "m" is also declared in a.yaml [load_from[0]]; '
            "give one of them another name"
        )
    ]


def test_variables_and_python_hold_for_every_location(folder):
    folder.write("w.yaml", "load_from: [{python_module: w}, {grpc_server: {port: 1}}]")
    config = folder.from_targets(
        modules=["m"], workspaces=["w.yaml"], env=["A=1", "B=x=y"], python="3.12"
    )
    module, workspace, server = config.locations
    assert module.variables == workspace.variables == {"A": "1", "B": "x=y"}
    assert module.environment == workspace.environment == Request(python="3.12")
    assert server.variables == {}


@pytest.mark.parametrize(
    ("environment", "python", "expected"),
    [
        ('packages = ["a"]', "3.12", lambda _: Request(python="3.12", packages=("a",))),
        ('path = ".venv"', "3.12", lambda _: Request(python="3.12")),
        (
            'packages = ["a"]',
            "bin/python",
            lambda root: Request(python=f"{root}/bin/python", packages=("a",)),
        ),
    ],
)
def test_python_on_the_command_line_wins_over_that_of_a_config(
    folder, environment, python, expected
):
    folder.path.joinpath("codelocd.toml").write_text(
        f'[location.a]\nmodule = "a"\n[location.a.environment]\n{environment}'
    )
    [location] = folder.from_targets(workspaces=["codelocd.toml"], python=python).locations
    assert location.environment == expected(folder.path)


def test_the_env_file_in_the_working_directory_is_read(folder):
    folder.write("sub/.env", "A=1\nREAL=file\n")
    config = folder.from_targets({"REAL": "real"}, modules=["m"], working_directory="sub")
    assert config.locations[0].variables == {"A": "1"}
    assert config.files == (folder.path / "sub/.env",)


def test_without_targets_the_config_that_is_found_is_loaded(folder):
    folder.write("codelocd.toml", '[location.a]\nmodule = "a"\nenv = { A = "file", B = "b" }')
    [location] = folder.from_targets(env=["A=line"]).locations
    assert location.variables == {"A": "line", "B": "b"}


def test_daemon_settings_of_a_second_config_are_reported_as_unused(folder):
    for name in ("a", "b"):
        folder.write(f"{name}.toml", f'[daemon]\nstore = "{name}"\n[location.{name}]\nmodule = "m"')
    config = folder.from_targets(workspaces=["a.toml", "b.toml"])
    assert config.daemon.store == folder.path / "a"
    assert config.notes == (
        f"{folder.path}/b.toml: daemon has no effect here, that of {folder.path}/a.toml has",
    )


MISTAKES = [
    (
        {"modules": ["a", "b"], "attribute": "defs"},
        (
            "command line: -a names the definitions of one target, and there are 2; "
            "give one of -f, -m and --package-name, or write a codelocd.toml"
        ),
    ),
    (
        {"modules": ["m"], "env": ["A"]},
        'command line: --env "A" is no assignment; write NAME=VALUE',
    ),
    (
        {"modules": ["m"], "env": ["1=2"]},
        'command line: --env "1" is no assignment; write NAME=VALUE',
    ),
    (
        {"python_files": ["a\n.py"]},
        "command line: 'a\\n' is not a name for a location; rename it, or write a codelocd.toml",
    ),
    (
        {"workspaces": ["none.yaml"]},
        "none.yaml: cannot be read: No such file or directory; name a file that can",
    ),
    ({"workspaces": ["w.ini"]}, "w.ini: is of no known kind; name a .toml or .yaml file"),
]


@pytest.mark.parametrize(("targets", "problem"), MISTAKES)
def test_a_mistake_is_one_line_that_says_what_to_do(folder, targets, problem):
    folder.write("w.ini", "")
    assert folder.target_problems(**targets) == [problem]


def test_a_working_directory_that_would_hold_for_nothing_is_a_mistake(folder):
    folder.write("codelocd.toml", '[location.a]\nmodule = "m"')
    (problem,) = folder.target_problems(working_directory="sub")
    assert problem == (
        "command line: -d holds for -f, -m and --package-name, and there is none of them; "
        "add one, or say working_directory in the config"
    )
