"""Dagster's dagster_cloud.yaml and build.yaml."""

from __future__ import annotations

import pytest

from codeloc_envs import Request
from codelocd.model import Target


def test_every_code_source_is_read_with_the_defaults_under_it(folder):
    folder.write(
        "dagster_cloud.yaml",
        """\
        defaults:
          executable_path: venv/bin/python
          build: {directory: ./built}
        locations:
          - location_name: a
            code_source: {package_name: pkg}
          - location_name: b
            code_source: {module_name: pkg.defs}
            attribute: defs
            working_directory: src
          - location_name: c
            code_source: {python_file: c/defs.py}
            executable_path: /usr/bin/python3
          - location_name: d
            code_source: {autoload_defs_module_name: pkg.auto, package_name: null}
            build: {directory: other}
        """,
    )
    a, b, c, d = folder.load("dagster_cloud.yaml").locations
    root = folder.path
    assert [each.target for each in (a, b, c, d)] == [
        Target("package", "pkg"),
        Target("module", "pkg.defs"),
        Target("python_file", f"{root}/c/defs.py"),
        Target("autoload_defs_module", "pkg.auto"),
    ]
    assert [each.working_directory for each in (a, b, c, d)] == [
        root / "built",
        root / "src",
        root / "built",
        root / "other",
    ]
    assert a.environment == Request(python=f"{root}/venv/bin/python")
    assert c.environment == Request(python="/usr/bin/python3")
    assert (a.name, b.attribute) == ("a", "defs")
    assert a.activated_allowed is True


def test_build_yaml_and_any_yaml_with_locations_are_read_the_same(folder):
    text = "defaults:\nlocations: [{location_name: a, code_source: {module_name: m}}]"
    names = [folder.one(name, text).name for name in ("build.yaml", "prod.yml")]
    assert names == ["a", "a"]


def test_keys_for_containers_and_agents_are_accepted_and_reported(folder):
    folder.write(
        "build.yaml",
        """\
        defaults: {agent_queue: q}
        locations:
          - location_name: a
            code_source: {module_name: m}
            image: "{{ get_env('IMAGE') }}"
            build: {directory: ., registry: r}
            container_context: {k8s: {env_vars: [A=1], 1: 2}}
        """,
    )
    notes = folder.load("build.yaml").notes
    assert {note.removeprefix(f"{folder.path}/build.yaml:") for note in notes} == {
        "1: defaults.agent_queue has no effect here",
        "5: locations[0].image has no effect here",
        "6: locations[0].build.registry has no effect here",
        "7: locations[0].container_context has no effect here",
    }


A = "locations:\n- location_name: a\n  code_source: {module_name: m}\n"
MISTAKES = [
    ("{}", "1: locations: is missing; add it"),
    ("location: []\nlocations: []", '1: location: unknown key; did you mean "locations"?'),
    (
        "locations:\n- code_source: {module_name: m}",
        "2: locations[0].location_name: is missing; add it",
    ),
    (
        "locations:\n- location_name: a\n  code_source: {}",
        (
            "3: locations[0].code_source: has nothing; "
            "give one of package_name, module_name, python_file, autoload_defs_module_name"
        ),
    ),
    (
        "locations:\n- location_name: a\n  code_source: {module_name: m, python_file: f}",
        (
            "3: locations[0].code_source: has module_name and python_file; "
            "give one of package_name, module_name, python_file, autoload_defs_module_name"
        ),
    ),
    (f"{A}  imge: x", '4: locations[0].imge: unknown key; did you mean "image"?'),
    (
        f"{A}  attribute: 3",
        '4: locations[0].attribute: must be a string, not a whole number; write it in quotes: "3"',
    ),
    (
        f"{A}  build: {{directry: x}}",
        '4: locations[0].build.directry: unknown key; did you mean "directory"?',
    ),
    (
        f"defaults: {{attribute: x}}\n{A}",
        (
            "1: defaults.attribute: unknown key; valid here: build, working_directory, image, "
            "executable_path, container_context, agent_queue"
        ),
    ),
    (
        f'{A}  working_directory: "{{{{ x }}}}"',
        (
            "4: locations[0].working_directory: holds a template, which is not rendered here; "
            "write what it renders to"
        ),
    ),
    (
        f"{A}  image: {{{{ x }}}}",
        "4: is a template, which is not rendered here; write what it renders to",
    ),
    (
        f"{{% for x in y %}}\n{A}",
        "1: is a template, which is not rendered here; write what it renders to",
    ),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_one_line_with_file_line_key_and_remedy(folder, text, problem):
    folder.write("build.yaml", text)
    assert folder.problems("build.yaml") == [f"build.yaml:{problem}"]


def test_get_env_gives_the_value_of_a_variable_or_its_default(folder):
    location = folder.one(
        "build.yaml",
        """\
        locations:
          - location_name: {{ get_env("NOT_SET", "by-default") }}
            image: {{get_env('NOT_SET')}}
            code_source: {module_name: "{{ get_env('CODE', default='x') }}.defs"}
        """,
        {"CODE": "from_env"},
    )
    assert (location.name, location.target) == ("by-default", Target("module", "from_env.defs"))


def test_two_locations_of_one_name_are_an_error_that_names_both(folder):
    one = "{location_name: a, code_source: {module_name: m}}"
    folder.write("build.yaml", f"locations: [{one}, {one}]")
    assert folder.problems("build.yaml") == [
        (
            'build.yaml [locations[1]]: location "a" is also declared in '
            "build.yaml [locations[0]]; give one of them another name"
        )
    ]


def test_what_dagsters_reader_takes_is_taken(folder):
    folder.write(
        "dagster_cloud.yaml",
        """\
        locations:
          - location_name: image-only
            image: registry/shop
          - location_name: a
            code_source: {module_name: m, python_file: ""}
            working_directory: ""
            attribute: ""
          - location_name: a
            location_name: b
            code_source: &code {module_name: m}
          - location_name: 2024-01-01
            code_source: *code
        """,
    )
    config = folder.load("dagster_cloud.yaml")
    assert [each.name for each in config.locations] == ["a", "b", "2024-01-01"]
    assert config.locations[0].working_directory == folder.path
    assert config.locations[0].attribute is None
    assert [note.replace(f"{folder.path}/", "") for note in config.notes] == [
        (
            "dagster_cloud.yaml:9: location_name: stands twice in one mapping, first on line 8; "
            "the last counts"
        ),
        "dagster_cloud.yaml:3: locations[0].image has no effect here",
        (
            "dagster_cloud.yaml:2: locations[0]: names no code, only an image; passed over; "
            "add code_source to load it here"
        ),
    ]
