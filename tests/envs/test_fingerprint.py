"""Keys: the same for the same needs, another for any difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloc_envs import Request, choose
from codeloc_envs.fingerprint import canonical, environment_key, inputs_key
from codeloc_envs.inputs import gather
from codeloc_envs.project.pylock import LocalSource, read_lock

PYTHON = ["/usr/bin/python3", 1, 2, 3, "3.12.1", ".so", "linux-x86_64"]


def key(code: Path, request: Request | None = None, settings: dict[str, str] | None = None) -> str:
    return inputs_key(gather(choose(request, code=code).specification, settings or {}), PYTHON)


@given(st.permutations(["pandas>=2", "attrs", "six ; python_version < '3.9'"]))
def test_the_order_of_packages_changes_nothing(packages: list[str]) -> None:
    expected = key(Path("/"), Request(packages=tuple(sorted(packages))))
    assert key(Path("/"), Request(packages=tuple(packages))) == expected


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_different_lists_never_run_together(one: list[str], other: list[str]) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


def test_packages_settings_and_python_each_change_the_key() -> None:
    code = Path("/")
    inputs = gather(choose(Request(packages=("six",)), code=code).specification, {})
    keys = {
        key(code),
        key(code, Request(packages=("six",))),
        key(code, Request(packages=("six>1",))),
        key(code, Request(packages=("six",)), {"UV_DEFAULT_INDEX": "https://example.org"}),
        inputs_key(inputs, [*PYTHON[:-1], "linux-aarch64"]),
    }
    assert len(keys) == 5


def test_every_requirements_file_counts_by_content(workplace: Path) -> None:
    main, base = workplace / "requirements.txt", workplace / "base.txt"
    main.write_text("-r base.txt\n")
    base.write_text("six\n")
    before = key(workplace)
    base.write_text("six>1\n")
    changed = key(workplace)
    base.write_text("six\n")
    assert before != changed
    assert key(workplace) == before


def test_the_same_requirements_in_two_checkouts_have_one_key(workplace: Path) -> None:
    for name in "ab":
        (workplace / name).mkdir()
        (workplace / name / "requirements.txt").write_text("six\n")
    assert key(workplace / "a") == key(workplace / "b")


def test_requirements_with_a_path_belong_to_their_checkout(workplace: Path) -> None:
    for name in "ab":
        (workplace / name).mkdir()
        (workplace / name / "requirements.txt").write_text("-e .\n")
    assert key(workplace / "a") != key(workplace / "b")


def test_variables_in_a_requirements_file_count_by_value(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "requirements.txt").write_text("--index-url https://${MIRROR}/simple\nsix\n")
    monkeypatch.setenv("MIRROR", "one.example.org")
    before = key(workplace)
    monkeypatch.setenv("MIRROR", "two.example.org")
    assert key(workplace) != before


def test_a_scripts_code_does_not_count_but_its_metadata_does(workplace: Path) -> None:
    script = workplace / "script.py"
    block = '# /// script\n# dependencies = ["six"]\n# ///\n'
    script.write_text(block + "x = 1\n")
    before = key(script)
    script.write_text(block + "x = 2\n")
    assert key(script) == before
    script.write_text(block.replace("six", "attrs"))
    assert key(script) != before


def test_tables_of_mere_tools_in_a_pyproject_do_not_count(workplace: Path) -> None:
    file = workplace / "pyproject.toml"
    file.write_text('[project]\nname = "x"\nversion = "1"\n')
    before = key(workplace)
    file.write_text(file.read_text() + "[tool.ruff]\nline-length = 99\n[tool.codelocd]\nx = 1\n")
    assert key(workplace) == before
    file.write_text(file.read_text() + "[tool.hatch.build]\npackages = ['y']\n")
    assert key(workplace) != before


def test_uvs_settings_beside_the_code_count(workplace: Path) -> None:
    (workplace / "requirements.txt").write_text("six\n")
    before = key(workplace)
    (workplace / "uv.toml").write_text('exclude-newer = "2024-01-01T00:00:00Z"\n')
    with_settings = key(workplace)
    (workplace / "uv.toml").unlink()
    (workplace / "pyproject.toml").write_text("[tool.uv]\nno-index = true\n")
    assert len({before, with_settings, key(workplace)}) == 3


def test_extras_and_groups_count_by_normalised_name(
    workplace: Path, project: Callable[..., Path]
) -> None:
    more = "[project.optional-dependencies]\na-b = []\nc = []\n"
    folder = project(workplace / "lib", "lib", more=more)

    def extras(*names: str) -> str:
        return key(workplace, Request(project=folder, extras=names))

    assert extras("a-b", "c") == extras("C", "A_B")
    assert extras("c") != extras("a-b")


def test_a_copied_package_counts_by_all_its_content(
    tmp_path: Path, project: Callable[..., Path]
) -> None:
    folder = project(tmp_path / "lib", "lib")
    source = LocalSource("lib", folder, editable=False)
    before = source.digest()
    for aside in ("build/lib/x.py", ".git/HEAD", "src/__pycache__/x.pyc", "lib.egg-info/PKG-INFO"):
        (folder / aside).parent.mkdir(parents=True, exist_ok=True)
        (folder / aside).write_text("noise")
    assert source.digest() == before
    (folder / "src/lib.py").write_text("VALUE = 'other'\n")
    assert source.digest() != before


def test_an_editable_package_counts_by_what_its_build_reads(
    tmp_path: Path, project: Callable[..., Path]
) -> None:
    more = '[tool.setuptools.dynamic]\ndependencies = { file = "needs.txt" }\n'
    folder = project(tmp_path / "lib", "lib", more=more)
    (folder / "needs.txt").write_text("six\n")
    source = LocalSource("lib", folder, editable=True)
    before = source.digest()
    (folder / "src/lib.py").write_text("VALUE = 'other'\n")
    assert source.digest() == before
    (folder / "needs.txt").write_text("attrs\n")
    assert source.digest() != before


def test_an_environment_is_the_same_however_its_lock_was_reached(tmp_path: Path) -> None:
    def lock(name: str, index: str, time: str) -> list[Any]:
        path = tmp_path / name
        path.write_text(
            'lock-version = "1.0"\n[[packages]]\nname = "six"\nversion = "1.17.0"\n'
            f'index = "{index}"\nwheels = [{{ url = "{index}/six.whl", upload-time = {time}, '
            'hashes = { sha256 = "00" } }]\n'
        )
        return read_lock(path).fingerprint()

    one = lock("pylock.one.toml", "https://a.example.org", "2024-12-04T17:35:28Z")
    other = lock("pylock.other.toml", "https://b.example.org", "2025-12-04T17:35:28Z")
    assert environment_key(one, {}, PYTHON, {}) == environment_key(other, {}, PYTHON, {})
    assert environment_key(one, {}, PYTHON, {}) != environment_key(one, {"x": "y"}, PYTHON, {})
