"""The line that adds a missing package, for each kind of environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs import Request, Specification
from codeloc_envs.request import EnvironmentKind
from codelocd.core.remedies import Origin, remedy, variable
from codelocd.model import LocationSpec, Target


def location(folder: Path, declared_in: str, env_file: Path | None = None) -> LocationSpec:
    target = Target("python_file", str(folder / "defs.py"))
    return LocationSpec("sales", target, folder, declared_in, env_file=env_file)


def line(environment: Specification, declared_in: str, module: str = "pandas") -> str | None:
    found = remedy(module, environment, Origin(declared_in))
    return found.line if found is not None else None


def test_codelocd_toml_gets_the_whole_list_under_a_name_that_toml_takes(tmp_path):
    asked = Specification(EnvironmentKind.PACKAGES, tmp_path, Request(packages=("dagster",)))
    place = f'{tmp_path}/codelocd.toml [location."a.py"]'
    assert line(asked, place) == (
        f'write in [location."a.py".environment] of {tmp_path}/codelocd.toml:'
        ' packages = ["dagster", "pandas"]'
    )
    own = f"{tmp_path}/pyproject.toml [tool.codelocd.location.sales]"
    assert line(asked, own) == (
        f"write in [tool.codelocd.location.sales.environment] of {tmp_path}/pyproject.toml:"
        ' packages = ["dagster", "pandas"]'
    )


def test_a_file_of_the_command_line_gets_a_block_to_paste(tmp_path):
    found = remedy(
        "pandas",
        Specification(EnvironmentKind.PACKAGES, tmp_path),
        Origin.of(location(tmp_path, "command line -f defs.py")),
    )
    assert found is not None
    assert found.line == "say --with pandas, or put these lines at the top of defs.py"
    assert found.block == '# /// script\n# dependencies = ["pandas"]\n# ///\n'


def test_a_workspace_that_says_nothing_of_packages_gets_a_requirements_file(tmp_path):
    bare = Specification(EnvironmentKind.PACKAGES, tmp_path)
    assert line(bare, f"{tmp_path}/workspace.yaml [load_from[0]]") == (
        f"write pandas into {tmp_path}/requirements.txt"
    )


def test_a_description_gets_the_package_where_it_is_read(tmp_path):
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "defs.py").write_text('# /// script\n# dependencies = ["six"]\n# ///\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    place = "command line -f defs.py"
    files = Request(requirements=(tmp_path / "requirements.txt",))
    assert line(Specification(EnvironmentKind.PACKAGES, tmp_path, files), place) == (
        f"add the line pandas to {tmp_path}/requirements.txt"
    )
    script = Specification(EnvironmentKind.SCRIPT, tmp_path, script=tmp_path / "defs.py")
    assert line(script, place) == (
        f'add "pandas" to the dependencies at the top of {tmp_path}/defs.py'
    )
    project = Specification(EnvironmentKind.PROJECT, tmp_path, Request(project=tmp_path))
    assert line(project, place) == f'add "pandas" to dependencies in {tmp_path}/pyproject.toml'
    assert line(Specification(EnvironmentKind.UV_LOCK, tmp_path), place) == (
        f"run: uv add --project {tmp_path} pandas"
    )
    locked = Specification(EnvironmentKind.PYLOCK, tmp_path, Request(lock=tmp_path / "pylock.toml"))
    assert line(locked, place) == (
        f"add pandas to what {tmp_path}/pylock.toml is made from, and lock again"
    )


@pytest.mark.parametrize(
    ("beside", "command"),
    [
        ("uv.lock", "uv add --project {0} pandas"),
        ("poetry.lock", "poetry add --directory {0} pandas"),
        ("pdm.lock", "pdm add --project {0} pandas"),
        (".venv/lib/python3.12/site-packages/pip/x", "{0}/.venv/bin/python -m pip install pandas"),
        ("other", "uv pip install --python {0}/.venv/bin/python pandas"),
    ],
)
def test_an_environment_of_the_users_own_gets_the_command_that_is_at_hand(
    tmp_path, beside, command
):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    (tmp_path / ".venv" / "bin" / "python").symlink_to("/bin/sh")
    (tmp_path / beside).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / beside).touch()
    own = Specification(EnvironmentKind.EXISTING, tmp_path, Request(path=tmp_path / ".venv"))
    assert line(own, "command line -f defs.py") == f"run: {command.format(tmp_path)}"


def test_what_is_listed_already_is_not_to_be_listed_again(tmp_path):
    (tmp_path / "requirements.txt").write_text(
        "PyYAML>=6  # for configs\npandas; python_version<'3'"
    )
    files = Specification(
        EnvironmentKind.PACKAGES, tmp_path, Request(requirements=(tmp_path / "requirements.txt",))
    )
    assert line(files, "command line -f defs.py", "yaml") == (
        f"pyyaml is listed in {tmp_path}/requirements.txt and installed, but has no module yaml:"
        " it is another package's"
    )
    assert line(files, "command line -f defs.py") == (
        f'pandas is listed in {tmp_path}/requirements.txt only where python_version < "3"'
    )
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\noptional-dependencies = { plots = ["pandas"] }\n'
    )
    project = Specification(EnvironmentKind.PROJECT, tmp_path, Request(project=tmp_path))
    assert line(project, "command line -f defs.py") == (
        f"pandas is listed in {tmp_path}/pyproject.toml in the extra plots, which this environment"
        " does not take"
    )


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("yaml", "pyyaml"),
        ("my_tool", "my-tool"),
        ("google.cloud.bigquery", "google-cloud-bigquery"),
        ("azure.identity", "azure-identity"),
        ("snowflake.connector", "snowflake-connector-python"),
        ("pkg_resources", "'setuptools<81'"),
    ],
)
def test_a_package_may_have_another_name_than_its_module(tmp_path, module, package):
    told = line(Specification(EnvironmentKind.UV_LOCK, tmp_path), "command line -f defs.py", module)
    assert told == f"run: uv add --project {tmp_path} {package}"


def test_a_package_that_many_have_a_part_of_is_not_guessed(tmp_path):
    assert (
        line(Specification(EnvironmentKind.UV_LOCK, tmp_path), "command line -f x.py", "google")
        is None
    )


def test_a_variable_is_set_where_the_location_reads_its_variables(tmp_path):
    toml = f"{tmp_path}/codelocd.toml [location.sales]"
    assert variable("DSN", location(tmp_path, toml)) == (
        f'set it in [location.sales] of {tmp_path}/codelocd.toml: env = {{ DSN = "VALUE" }}'
    )
    assert variable("DSN", location(tmp_path, toml, tmp_path / "x.env")) == (
        f"set DSN in {tmp_path}/x.env"
    )
    assert variable("DSN", location(tmp_path, "command line -f defs.py")) == (
        f"set DSN in {tmp_path}/.env, or say --env DSN=VALUE"
    )
    assert variable("DSN", location(tmp_path, f"{tmp_path}/workspace.yaml [load_from[0]]")) == (
        f"set DSN in {tmp_path}/.env"
    )


def project_of(folder: Path) -> Specification:
    return Specification(EnvironmentKind.PROJECT, folder, Request(project=folder))


DYNAMIC = '[project]\nname = "x"\ndynamic = ["dependencies"]\n'
READ = "from setuptools import setup\nsetup(install_requires=open('needs.txt').read().split())\n"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {
                "setup.py": "from setuptools import setup\nsetup()\n",
                "setup.cfg": "[options]\ninstall_requires =\n  six\n",
            },
            "add pandas to install_requires in {0}/setup.cfg",
        ),
        (
            {"setup.py": "from setuptools import setup\nsetup(name='x')\n"},
            "add pandas to install_requires in {0}/setup.py",
        ),
        ({"setup.py": READ, "needs.txt": "six\n"}, "add the line pandas to {0}/needs.txt"),
        (
            {"setup.cfg": "[options]\ninstall_requires = file: needs.txt\n", "needs.txt": ""},
            "add the line pandas to {0}/needs.txt",
        ),
        (
            {
                "pyproject.toml": DYNAMIC
                + '[tool.setuptools.dynamic]\ndependencies = { file = ["needs.txt"] }\n',
                "needs.txt": "six\n",
            },
            "add the line pandas to {0}/needs.txt",
        ),
        (
            {"pyproject.toml": DYNAMIC},
            "add pandas where {0}/pyproject.toml takes its dynamic dependencies from",
        ),
        (
            {"pyproject.toml": '[tool.poetry]\nname = "x"\n'},
            'add pandas = "*" to [tool.poetry.dependencies] in {0}/pyproject.toml',
        ),
    ],
)
def test_a_project_gets_the_package_where_its_dependencies_are_read(tmp_path, files, told):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert line(project_of(tmp_path), "command line -f defs.py") == told.format(tmp_path)


def test_a_list_that_a_tool_makes_is_not_to_be_edited(tmp_path):
    made = tmp_path / "requirements.txt"
    made.write_text("# This file is autogenerated by pip-compile with Python 3.12\nsix==1.16.0\n")
    asked = Specification(EnvironmentKind.PACKAGES, tmp_path, Request(requirements=(made,)))
    place = "command line -f defs.py"
    assert line(asked, place) == f"add pandas to what {made} is made from, and make it again"
    (tmp_path / "requirements.in").write_text("six\n")
    assert line(asked, place) == (
        f"add the line pandas to {tmp_path}/requirements.in,"
        " and make requirements.txt from it again"
    )
    (tmp_path / "requirements.in").unlink()
    made.write_text(f"six==1.16.0 --hash=sha256:{'0' * 64}\n")
    assert line(asked, place) == f"add pandas to what {made} is made from, and make it again"


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\npandas = { version = "*", optional = true }\n',
            "an extra",
        ),
        ("pyproject.toml", '[tool.poetry.group.io.dependencies]\npandas = "*"\n', "the group io"),
        (
            "setup.cfg",
            "[options]\n[options.extras_require]\nio =\n  pandas>=2\n",
            "the extra io",
        ),
    ],
)
def test_what_other_tools_list_is_not_to_be_listed_again(tmp_path, name, text, part):
    (tmp_path / name).write_text(text)
    assert line(project_of(tmp_path), "command line -f defs.py") == (
        f"pandas is listed in {tmp_path}/{name} in {part}, which this environment does not take"
    )


def test_what_a_pipfile_lists_for_development_is_not_to_be_listed_again(tmp_path):
    (tmp_path / "Pipfile").write_text('[dev-packages]\npandas = "*"\n')
    assert line(Specification(EnvironmentKind.PIPENV, tmp_path), "command line -f defs.py") == (
        f"pandas is listed in {tmp_path}/Pipfile in the packages for development,"
        " which this environment does not take"
    )


@pytest.mark.parametrize("module", ["_cffi_backend", "m\u00fcll", "odd_", "_"])
def test_a_module_whose_name_no_package_can_have_is_not_guessed(tmp_path, module):
    uv = Specification(EnvironmentKind.UV_LOCK, tmp_path)
    assert line(uv, "command line -f defs.py", module) is None
