"""Which environment a location gets: the first rule that hits, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem, Request, choose
from codeloc_envs.request import EnvironmentKind, Specification


@pytest.fixture
def code(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / ".git").mkdir()
    file = root / "pkg" / "definitions.py"
    file.write_text("x = 1\n")
    return file


def make_environment(folder: Path, version: str = "3.11.7") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion_info = {version}.final.0\n")
    return folder


def test_what_is_asked_for_comes_first(code: Path) -> None:
    code.write_text('# /// script\n# dependencies = ["rich"]\n# ///\n')
    make_environment(code.parent / ".venv")
    choice = choose(Request(packages=("six", "attrs")), code=code)
    assert choice.specification.kind is EnvironmentKind.PACKAGES
    assert choice.why == "asked for: six, attrs; Python: the newest"


def test_inline_metadata_comes_before_the_projects_own_environment(code: Path) -> None:
    code.write_text('# /// script\n# requires-python = ">=3.9"\n# dependencies = []\n# ///\n')
    make_environment(code.parent / ".venv")
    choice = choose(None, code=code)
    assert choice.specification.kind is EnvironmentKind.SCRIPT
    assert choice.specification.python.requires == ">=3.9"
    assert choice.why.startswith(f"inline script metadata in {code}; Python: the newest within")
    assert choice.inputs == (code,)


def test_the_projects_own_environment_is_used_as_it_is(code: Path) -> None:
    own = make_environment(code.parents[1] / ".venv")
    (code.parents[1] / "requirements.txt").write_text("six\n")
    choice = choose(None, code=code, activated=make_environment(code.parent / "other"))
    assert choice.specification.kind is EnvironmentKind.EXISTING
    assert choice.specification.request.path == own
    assert choice.why == f"the project's own environment {own}"
    assert choice.inputs == (own / "pyvenv.cfg",)


def test_a_venv_file_names_the_environment(code: Path) -> None:
    make_environment(code.parents[2] / "elsewhere")
    file = code.parents[1] / ".venv"
    file.write_text("../elsewhere\n")
    choice = choose(None, code=code)
    assert choice.specification.request.path == code.parents[2] / "elsewhere"
    assert file in choice.inputs


def test_a_venv_file_that_names_nothing_is_an_error(code: Path) -> None:
    file = code.parents[1] / ".venv"
    file.write_text("nowhere\n")
    with pytest.raises(EnvironmentProblem) as caught:
        choose(None, code=code)
    assert caught.value.summary == (
        f'{file} should name an environment\'s folder in one line, and names "nowhere"'
    )
    assert caught.value.inputs[0] == file


def test_an_environment_whose_python_is_gone_is_an_error_not_passed_over(code: Path) -> None:
    own = make_environment(code.parents[1] / ".venv")
    (own / "bin/python").unlink()
    (own / "bin/python").symlink_to("/gone/python3")
    with pytest.raises(EnvironmentProblem, match=r"/gone/python3 is gone\); create it again"):
        choose(None, code=code)


def test_a_folder_that_is_no_environment_is_none(code: Path) -> None:
    (code.parent / ".venv").mkdir()
    assert choose(None, code=code).why.startswith("nothing describes an environment")


def test_nothing_above_the_repositorys_root_counts(tmp_path: Path) -> None:
    make_environment(tmp_path / ".venv")
    (tmp_path / "requirements.txt").write_text("six\n")
    (tmp_path / "root" / ".git").mkdir(parents=True)
    assert "nothing describes an environment" in choose(None, code=tmp_path / "root").why


def test_the_activated_environment_comes_before_a_description(code: Path) -> None:
    (code.parent / "requirements.txt").write_text("six\n")
    activated = make_environment(code.parents[2] / "active")
    choice = choose(None, code=code, activated=activated)
    assert choice.why == f"the activated environment {activated}"
    assert choice.specification.request.path == activated


def test_an_activated_environment_that_is_gone_is_passed_over_and_said(code: Path) -> None:
    choice = choose(None, code=code, activated=Path("/gone"))
    assert choice.specification.kind is EnvironmentKind.PACKAGES
    assert choice.why.endswith("the activated environment /gone is not there")


def test_the_nearest_description_wins_and_in_one_folder_the_order_of_the_rule(code: Path) -> None:
    root = code.parents[1]
    (root / "uv.lock").write_text("version = 1\n")
    (root / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (root / "requirements.txt").write_text("six\n")
    assert choose(None, code=code).specification.kind is EnvironmentKind.UV_LOCK
    (root / "uv.lock").unlink()
    (root / "pylock.toml").write_text('lock-version = "1.0"\npackages = []\n')
    assert choose(None, code=code).specification.kind is EnvironmentKind.PYLOCK
    (root / "pylock.toml").unlink()
    assert choose(None, code=code).specification.request.requirements == (
        root / "requirements.txt",
    )
    (root / "requirements.txt").unlink()
    choice = choose(None, code=code)
    assert choice.specification.kind is EnvironmentKind.PROJECT
    assert choice.specification.request.project == root
    (code.parent / "requirements.txt").write_text("attrs\n")
    nearest = choose(None, code=code)
    assert str(code.parent / "requirements.txt") in nearest.why


def test_a_pyproject_without_a_project_describes_nothing(code: Path) -> None:
    (code.parent / "pyproject.toml").write_text("[tool.ruff]\n")
    assert choose(None, code=code).why.startswith("nothing describes an environment")


def test_python_explicit_before_version_file_before_requires_python(code: Path) -> None:
    root = code.parents[1]
    (root / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = ">=3.9"\n')
    required = choose(None, code=code).specification.python
    assert (required.asked, required.requires) == (None, ">=3.9")
    (root / ".python-version").write_text("# the oldest we support\n3.10\n3.9\n")
    choice = choose(None, code=code)
    assert choice.specification.python.asked == "3.10"
    assert choice.specification.python.asked_by == str(root / ".python-version")
    assert root / ".python-version" in choice.inputs
    explicit = choose(Request(python="3.12"), code=code)
    assert explicit.specification.python.asked == "3.12"
    assert explicit.specification.python.requires == ">=3.9"
    assert "Python: 3.12 (asked for) within >=3.9" in explicit.why


@pytest.mark.parametrize(
    ("name", "text", "culprit"),
    [
        (".python-version", "my-virtualenv\n", '"my-virtualenv" is no Python version'),
        (
            "pyproject.toml",
            '[project]\nname = "x"\nrequires-python = "three"\n',
            '"three" is no version specifier',
        ),
    ],
)
def test_a_python_that_nobody_can_find_names_the_file_that_asks(
    code: Path, name: str, text: str, culprit: str
) -> None:
    file = code.parent / name
    file.write_text(text)
    with pytest.raises(EnvironmentProblem) as caught:
        choose(None, code=code)
    assert caught.value.summary.startswith(culprit)
    assert caught.value.summary.endswith(f"({file})")
    assert caught.value.inputs[0] == file


def test_an_existing_environment_of_another_python_is_passed_over_and_said(code: Path) -> None:
    own = make_environment(code.parent / ".venv", "3.9.1")
    choice = choose(Request(python="3.12"), code=code)
    assert choice.specification.kind is EnvironmentKind.PACKAGES
    assert choice.why.endswith(f"the project's own environment {own} has Python 3.9.1, not 3.12")
    assert choose(Request(python="3.9"), code=code).specification.kind is EnvironmentKind.EXISTING
    assert (
        choose(Request(python=">=3.8,<3.10"), code=code).specification.kind
        is EnvironmentKind.EXISTING
    )


def test_a_path_of_a_python_alone_is_used_as_it_is(code: Path) -> None:
    own = make_environment(code.parents[2] / "other")
    choice = choose(Request(python=str(own / "bin/python")), code=code)
    assert choice.specification.kind is EnvironmentKind.EXISTING
    assert choice.specification.request.path == own


@pytest.mark.parametrize("kind", ["environment", "python"])
def test_an_environment_that_is_asked_for_and_not_there_is_an_error(code: Path, kind: str) -> None:
    request = Request(path=Path("/gone")) if kind == "environment" else Request(python="/gone")
    with pytest.raises(EnvironmentProblem, match=r"environment /gone \(asked for\) does not exist"):
        choose(request, code=code)


def test_every_requirements_file_reached_is_an_input(code: Path) -> None:
    root = code.parents[1]
    (root / "requirements.txt").write_text("-r base.txt\nsix\n")
    (root / "base.txt").write_text("-c limits.txt\n")
    (root / "limits.txt").write_text("six<2\n")
    names = [path.name for path in choose(None, code=code).inputs]
    assert names == ["requirements.txt", "base.txt", "limits.txt"]


def test_an_unknown_extra_or_group_is_an_error_that_lists_what_there_is(code: Path) -> None:
    root = code.parents[1]
    (root / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.optional-dependencies]\nS3_store = []\n'
        "[dependency-groups]\ndev = []\n"
    )
    known = Request(project=root, extras=("s3-store",), groups=("Dev",))
    assert choose(known, code=code).specification.request.extras == ("s3-store",)
    with pytest.raises(EnvironmentProblem, match=r'has no extra "gcs"; there is: s3-store'):
        choose(Request(project=root, extras=("gcs",)), code=code)
    with pytest.raises(EnvironmentProblem, match=r'has no group "test"; there is: dev'):
        choose(Request(project=root, groups=("test",)), code=code)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (Request(lock=Path("/x/poetry.lock")), "/x/poetry.lock is no lock file"),
        (Request(packages=("./lib",)), r'packages: "./lib" is no requirement'),
        (Request(packages=("-e .",)), r'packages: "-e ." is no requirement'),
        (Request(extras=("x",)), "extras and groups belong to a project or a lock"),
        (Request(project=Path("/gone")), "project file /gone/pyproject.toml does not exist"),
    ],
)
def test_a_request_that_makes_no_sense_says_so(code: Path, request_: Request, text: str) -> None:
    with pytest.raises(EnvironmentProblem, match=text):
        choose(request_, code=code)


def test_an_invalid_pyproject_is_an_error_with_its_place(code: Path) -> None:
    path = code.parent / "pyproject.toml"
    path.write_text("[project\n")
    with pytest.raises(EnvironmentProblem) as caught:
        choose(None, code=code)
    assert caught.value.summary.startswith(f"{path} is not valid TOML: ")
    assert "line 1" in caught.value.summary
    assert caught.value.inputs[0] == path


def test_a_specification_survives_json(code: Path) -> None:
    (code.parents[1] / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (code.parents[1] / ".python-version").write_text("3.12\n")
    for request in (None, Request(packages=("six",), requirements=()), Request(python="3.11")):
        specification = choose(request, code=code).specification
        assert Specification.from_json(specification.to_json()) == specification


WORKSPACE = "load_from: []\n"
PROJECT = '[project]\nname = "x"\nrequires-python = ">=3.9"\n'


@pytest.fixture
def below(tmp_path: Path) -> Path:
    """A folder with a workspace.yaml, two folders below the project."""
    folder = tmp_path / "project" / "deploy" / "dagster"
    folder.mkdir(parents=True)
    (folder / "workspace.yaml").write_text(WORKSPACE)
    return folder


def test_a_project_above_a_workspace_yaml_is_found_up_to_the_repositorys_root(below: Path) -> None:
    root = below.parents[1]
    (root / ".git").mkdir()
    (root.parent / "requirements.txt").write_text("six\n")
    assert choose(None, code=below).why.startswith("nothing describes an environment")
    (root / "pyproject.toml").write_text(PROJECT)
    (root / ".python-version").write_text("3.12\n")
    choice = choose(None, code=below)
    assert choice.specification.request.project == root
    assert choice.specification.python.asked == "3.12"
    own = make_environment(root / ".venv")
    assert choose(None, code=below).specification.request.path == own


def test_what_is_nearer_decides_before_what_is_above_a_workspace_yaml(below: Path) -> None:
    root = below.parents[1]
    (root / ".git").mkdir()
    make_environment(root / ".venv")
    (root / "pyproject.toml").write_text(PROJECT)
    (below / "requirements.txt").write_text("six\n")
    assert choose(None, code=below).specification.request.requirements == (
        below / "requirements.txt",
    )
    (below / "requirements.txt").rename(below.parent / "requirements.txt")
    assert choose(None, code=below).specification.request.requirements == (
        below.parent / "requirements.txt",
    )


@pytest.mark.parametrize("name", [".venv", "requirements.txt", "pylock.toml", "setup.py"])
def test_without_a_repository_the_nearest_folder_that_has_or_describes_an_environment_counts(
    below: Path, name: str
) -> None:
    for root in (below.parents[2], below.parents[1], below.parent):
        if name == ".venv":
            make_environment(root / name)
        else:
            text = "from setuptools import setup\nsetup()\n" if name == "setup.py" else ""
            (root / name).write_text(
                text or 'lock-version = "1.0"\npackages = []\n' * ("lock" in name)
            )
        why = choose(None, code=below).why
        assert f"{root}/{name}" in why
        (below / "definitions.py").touch()
        assert choose(None, code=below / "definitions.py").why == why


def test_without_a_repository_what_comes_above_later_is_an_input(below: Path) -> None:
    wanted = {
        folder / name
        for folder in (below, *below.parents[:3])
        for name in (".venv", "requirements.txt", "uv.lock", "pyproject.toml")
    }
    assert not wanted - {*choose(None, code=below).looked_at}


@pytest.mark.parametrize("name", [".venv", "requirements.txt", "pyproject.toml"])
def test_without_a_repository_the_users_own_folder_ends_the_search(
    below: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    home = below.parents[1]
    monkeypatch.setenv("HOME", str(home))
    for folder in (home, home.parent):
        if name == ".venv":
            make_environment(folder / name)
        else:
            (folder / name).write_text(PROJECT if name == "pyproject.toml" else "six\n")
    choice = choose(None, code=below)
    assert choice.why.startswith("nothing describes an environment")
    assert home / name not in choice.looked_at


@pytest.mark.parametrize("repository", [True, False])
def test_a_folder_that_others_may_write_to_decides_nothing(below: Path, repository: bool) -> None:
    root = below.parents[1]
    if repository:
        (root / ".git").mkdir()
    make_environment(root / ".venv")
    assert choose(None, code=below).specification.request.path == root / ".venv"
    root.chmod(0o777)
    assert choose(None, code=below).why.startswith("nothing describes an environment")


def test_every_place_that_was_looked_at_in_vain_is_known(below: Path) -> None:
    root = below.parents[1]
    (root / ".git").mkdir()
    choice = choose(None, code=below, activated=root / "gone")
    names = (
        ".venv .venv/pyvenv.cfg .python-version uv.lock pylock.toml requirements.txt Pipfile "
        "Pipfile.lock pyproject.toml setup.py setup.cfg uv.toml"
    )
    wanted = {folder / n for folder in (below, below.parent, root) for n in names.split()}
    assert not wanted - {*choice.looked_at}
    assert root / "gone/pyvenv.cfg" in choice.looked_at
    assert choice.inputs == ()


DESCRIBED = [
    ("setup.py", "from setuptools import setup\nsetup(name='x', python_requires='>=3.9')", ">=3.9"),
    ("setup.cfg", "[metadata]\nname = x\n[options]\npython_requires = >=3.9\n", ">=3.9"),
    ("pyproject.toml", "[tool.poetry]\n[tool.poetry.dependencies]\npython = '^3.9'", ">=3.9,<4"),
    ("Pipfile", "[packages]\nsix = '*'\n[requires]\npython_version = '3.11'", "==3.11.*"),
    ("Pipfile.lock", '{"_meta": {"requires": {"python_version": "3.11"}}}', "==3.11.*"),
]


@pytest.mark.parametrize(("name", "text", "python"), DESCRIBED, ids=[each[0] for each in DESCRIBED])
def test_other_descriptions_than_a_project_table_count_too(
    code: Path, name: str, text: str, python: str
) -> None:
    (code.parents[1] / name).write_text(text)
    choice = choose(None, code=code)
    assert choice.why.startswith(f"the nearest description, {code.parents[1] / name}")
    assert choice.specification.python.requires == python
    assert choice.inputs == (code.parents[1] / name,)


def test_a_setup_cfg_of_mere_tools_describes_nothing(code: Path) -> None:
    (code.parent / "setup.cfg").write_text("[flake8]\nmax-line-length = 100\n")
    (code.parent / "setup.py").write_text("def prepare(): ...\n")
    assert choose(None, code=code).why.startswith("nothing describes an environment")
