"""Dagster's workspace.yaml: every selector, every form, every mistake."""

from __future__ import annotations

import pytest

from codeloc_envs import Request
from codelocd.model import GrpcServer, Target

EVERY_FORM = """
    load_from:
      - python_file: sub/a.py
      - python_file:
          relative_path: b.py
          attribute: defs
          working_directory: sub
          executable_path: venv/bin/python
      - python_module: pkg.defs
      - python_module: {module_name: pkg.defs, attribute: defs, location_name: named}
      - python_package: pkg
      - python_package: {package_name: pkg, attribute: x}
      - autoload_defs_module: auto.defs
      - autoload_defs_module: {module_name: auto.defs, location_name: has space é}
      - grpc_server: {port: 4266}
      - grpc_server: {host: h, socket: /run/s, location_name: other, ssl: true}
"""


def test_every_selector_is_read_in_its_scalar_and_mapping_form(folder):
    folder.write("workspace.yaml", EVERY_FORM)
    locations = folder.load("workspace.yaml").locations
    root = folder.path
    assert [(each.name, each.target) for each in locations] == [
        ("a.py", Target("python_file", f"{root}/sub/a.py")),
        ("b.py:defs", Target("python_file", f"{root}/b.py")),
        ("pkg.defs", Target("module", "pkg.defs")),
        ("named", Target("module", "pkg.defs")),
        ("pkg", Target("package", "pkg")),
        ("pkg:x", Target("package", "pkg")),
        ("auto.defs", Target("autoload_defs_module", "auto.defs")),
        ("has space é", Target("autoload_defs_module", "auto.defs")),
        ("grpc:localhost:4266", GrpcServer("localhost", 4266)),
        ("other", GrpcServer("h", None, "/run/s", ssl=True)),
    ]
    assert [each.attribute for each in locations[:6]] == [None, "defs", None, "defs", None, "x"]


def test_paths_are_relative_to_the_file_and_so_is_the_default_working_directory(folder):
    folder.write("workspace.yaml", EVERY_FORM)
    scalar, mapping, module, *_ = folder.load("workspace.yaml").locations
    root = folder.path
    assert scalar.working_directory == module.working_directory == root
    assert mapping.working_directory == root / "sub"
    assert mapping.environment == Request(python=f"{root}/venv/bin/python")
    assert mapping.declared_in == f"{root}/workspace.yaml [load_from[1]]"


def test_an_executable_without_a_folder_is_looked_up_on_path(folder):
    command = folder.write("bin/snake", "")
    command.chmod(0o755)
    text = "load_from: [{python_module: {module_name: m, executable_path: snake}}]"
    location = folder.one("workspace.yaml", text, {"PATH": str(command.parent)})
    assert location.environment == Request(python=str(command))


def test_strings_and_numbers_may_come_from_variables(folder):
    folder.write(
        "workspace.yaml",
        """\
        load_from:
          - python_module: {env: MODULE}
          - grpc_server: {host: {env: HOST}, port: {env: PORT}}
        """,
    )
    environ = {"MODULE": "m", "HOST": "h", "PORT": "12"}
    module, server = folder.load("workspace.yaml", environ).locations
    assert module.target == Target("module", "m")
    assert server.target == GrpcServer("h", 12)


def test_the_activated_environment_may_serve_only_where_the_caller_says_so(folder):
    folder.write("workspace.yaml", "load_from: [{python_module: m}]")
    allowed = [
        folder.load("workspace.yaml", activated=activated).locations[0].activated_allowed
        for activated in (True, False)
    ]
    assert allowed == [True, False]


def test_the_env_file_beside_it_is_read_and_overrides_no_real_variable(folder):
    folder.write(".env", "A=1\nB=2\n")
    location = folder.one("workspace.yaml", "load_from: [{python_module: m}]", {"A": "real"})
    assert location.variables == {"B": "2"}
    assert location.env_file == folder.path / ".env"
    assert folder.load("workspace.yaml").files == (
        folder.path / "workspace.yaml",
        folder.path / ".env",
    )


def test_an_empty_list_is_a_config_without_locations(folder):
    folder.write("workspace.yaml", "load_from: []")
    assert folder.load("workspace.yaml").locations == ()


def test_a_server_at_a_socket_is_named_after_it(folder):
    location = folder.one("w.yaml", "load_from:\n - grpc_server: {socket: /run/dagster/s.sock}")
    assert location.name == "grpc:localhost:s.sock"


def test_metadata_of_a_grpc_server_is_reported_as_having_no_effect(folder):
    folder.write("w.yaml", "load_from:\n - grpc_server: {port: 1, additional_metadata: {a: b}}")
    assert folder.load("w.yaml").notes == (
        f"{folder.path}/w.yaml:2: load_from[0].grpc_server.additional_metadata has no effect here",
    )


SELECTORS = "python_file, python_module, python_package, autoload_defs_module, grpc_server"
MISTAKES = [
    ("", "w.yaml: holds no mapping; write `load_from:` or `locations:` at the top"),
    ("{}", "w.yaml:1: load_from: is missing; add it"),
    ("load_from:", "w.yaml:1: load_from: must be a list, not nothing; write a list"),
    ("load_form: []\nload_from: []", 'w.yaml:1: load_form: unknown key; did you mean "load_from"?'),
    (
        "load_from: [3]",
        "w.yaml:1: load_from[0]: must be a table, not a whole number; write a table",
    ),
    (
        "load_from:\n- docker: x",
        f"w.yaml:2: load_from[0].docker: unknown key; valid here: {SELECTORS}",
    ),
    (
        "load_from:\n- python_file: a\n  python_module: b",
        (
            "w.yaml:2: load_from[0]: must have one selector, not python_file, python_module; "
            "write one entry for each"
        ),
    ),
    (
        "load_from:\n- {}",
        "w.yaml:2: load_from[0]: must have one selector, not nothing; write one entry for each",
    ),
    (
        "load_from:\n- python_file:",
        "w.yaml:2: load_from[0]: names no code; write it after the colon",
    ),
    (
        "load_from:\n- python_file: {attribute: x}",
        "w.yaml:2: load_from[0].python_file.relative_path: is missing; add it",
    ),
    (
        "load_from:\n- python_file:\n    relative_path: a\n    location_name: 3",
        (
            "w.yaml:4: load_from[0].python_file.location_name: must be a string, "
            'not a whole number; write it in quotes: "3"'
        ),
    ),
    (
        "load_from:\n- python_file: {relative_path: a, location_name: a/b}",
        (
            "w.yaml:2: load_from[0]: 'a/b' is not a name for a location; "
            "give it a name of printable characters without `/`"
        ),
    ),
    (
        "load_from:\n- autoload_defs_module: {module_name: m, attribute: x}",
        (
            "w.yaml:2: load_from[0].autoload_defs_module.attribute: unknown key; "
            "valid here: location_name, working_directory, executable_path, module_name"
        ),
    ),
    (
        "load_from:\n- python_module: {env: UNSET}",
        (
            "w.yaml:2: load_from[0].python_module.module_name: takes UNSET, which is not set; "
            "set UNSET where codelocd starts"
        ),
    ),
    (
        "load_from:\n- grpc_server: {port: {env: WORD}}",
        (
            "w.yaml:2: load_from[0].grpc_server.port: takes a variable whose value is no whole "
            "number; set it to a whole number"
        ),
    ),
    (
        "load_from:\n- grpc_server: {port: {env: UNSET}}",
        (
            "w.yaml:2: load_from[0].grpc_server.port: takes UNSET, which is not set; "
            "set UNSET where codelocd starts"
        ),
    ),
    (
        "load_from:\n- grpc_server: {port: 70000}",
        (
            "w.yaml:2: load_from[0].grpc_server.port: must be at most 65535, not 70000; "
            "choose another value"
        ),
    ),
    (
        "load_from:\n- grpc_server: {port: 1, ssl: {env: WORD}}",
        (
            "w.yaml:2: load_from[0].grpc_server.ssl: must be true or false, not a table; "
            "write true or false"
        ),
    ),
    (
        "load_from:\n- grpc_server: {host: h}",
        "w.yaml:2: load_from[0].grpc_server: must have either port or socket; give one of the two",
    ),
    (
        "load_from:\n- python_module: a\n- python_module: a",
        (
            'w.yaml [load_from[1]]: location "a" is also declared in w.yaml [load_from[0]]; '
            "give one of them another name"
        ),
    ),
    (
        "load_from: [",
        (
            "w.yaml:1: is not valid YAML: expected the node content, "
            "but found '<stream end>'; correct it there"
        ),
    ),
    (
        "load_from: !python/name:os.system x",
        (
            "w.yaml:1: is not valid YAML: could not determine a "
            "constructor for the tag '!python/name:os.system'; correct it there"
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_remedy(folder, text, problem):
    folder.write("w.yaml", text)
    assert folder.problems("w.yaml", {"WORD": "word"}) == [problem]


def test_merge_keys_and_anchors_of_yaml_work(folder):
    folder.write(
        "workspace.yaml",
        """\
        load_from:
          - python_module: &common {module_name: m, working_directory: src}
          - python_module: {<<: *common, location_name: other}
        """,
    )
    first, second = folder.load("workspace.yaml").locations
    assert (first.target, second.name) == (second.target, "other")
    assert second.working_directory == folder.path / "src"


def test_of_a_key_that_stands_twice_the_last_counts_as_in_dagster(folder):
    folder.write("w.yaml", "load_from:\n- python_file: a.py\n  python_file: b.py\n")
    config = folder.load("w.yaml")
    assert [each.name for each in config.locations] == ["b.py"]
    assert config.notes == (
        (
            f"{folder.path}/w.yaml:3: python_file: stands twice in one mapping, first on line 2; "
            "the last counts"
        ),
    )
