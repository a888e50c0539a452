"""How an environment is built: links, pip, an index of its own, a Python that is fetched."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import Environment, EnvironmentProblem, Progress, Request, Store, choose
from codeloc_envs.install.commands import variables_for_pip
from codeloc_envs.install.pip_settings import options_unseen
from codeloc_envs.install.uv_settings import settings_that_count, variables_for_uv
from codeloc_envs.request import Index, Installation, Specification

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
CACHE = Path("/cache")


def request(installation: Installation, *packages: str) -> Request:
    return Request(packages=packages, installation=installation)


def module(environment: Environment, name: str) -> Path:
    assert environment.path is not None
    return next(environment.path.glob(f"lib/*/site-packages/{name}.py"))


# --- links ---------------------------------------------------------------------------------------


def test_a_copied_environment_shares_no_file_and_is_another_one(
    build: Build, wheel: Wheel, store: Store
) -> None:
    wheel("alpha")
    linked = build(Request(packages=("alpha",)))
    copied = build(request(Installation(link_mode="copy"), "alpha"))
    assert copied.key != linked.key
    assert module(linked, "alpha").stat().st_nlink > 1
    assert module(copied, "alpha").stat().st_nlink == 1
    assert build(request(Installation(link_mode="copy"), "alpha")).origin == "reused"


# --- pip -----------------------------------------------------------------------------------------


@pytest.fixture
def links_for_pip(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only pip is told where the wheels are."""
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))


PIP = Installation(installer="pip")


def test_pip_installs_packages_and_its_lock_is_kept(
    build: Build, wheel: Wheel, links_for_pip: None
) -> None:
    wheel("alpha", "1.0", "beta")
    wheel("beta", "2.0")
    built = build(request(PIP, "alpha"))
    assert module(built, "alpha").exists()
    assert module(built, "beta").exists()
    wheel("beta", "3.0")
    assert build(request(PIP, "alpha")).path == built.path


def test_pip_installs_requirements_and_a_script(
    build: Build, wheel: Wheel, links_for_pip: None, workplace: Path
) -> None:
    wheel("alpha")
    (workplace / "requirements.txt").write_text("alpha\n")
    asked = Request(requirements=(workplace / "requirements.txt",), installation=PIP)
    assert module(build(asked), "alpha").exists()
    script = workplace / "script.py"
    script.write_text('# /// script\n# dependencies = ["alpha"]\n# ///\n')
    assert module(build(Request(installation=PIP), code=script), "alpha").exists()


def test_what_only_uv_reads_says_so_under_pip(
    build: Build, links_for_pip: None, workplace: Path
) -> None:
    (workplace / "uv.lock").write_text("version = 1\n")
    with pytest.raises(EnvironmentProblem, match=r"only uv installs a uv\.lock"):
        build(Request(lock=workplace / "uv.lock", installation=PIP))


def test_a_package_that_pip_does_not_find_is_named(build: Build, links_for_pip: None) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        build(request(PIP, "pandsa"))
    assert caught.value.summary == (
        "no such package or version: pandsa; check the requirement, or the index"
    )
    assert "No matching distribution found for pandsa" in caught.value.detail


def test_pips_options_that_uv_does_not_have_are_warned_about(
    build: Build, wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("alpha")
    monkeypatch.setenv("PIP_ONLY_BINARY", ":all:")
    steps: list[Progress] = []
    build(Request(packages=("alpha",)), steps=steps)
    (warning,) = [step.message for step in steps if step.phase == "warning"]
    assert warning == (
        'pip is configured with only-binary, which uv does not read; installer = "pip" does'
    )


def test_options_that_change_nothing_are_not_warned_about(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text(
        "[global]\ntimeout = 60\nindex-url = https://x\nno-binary = :all:\n"
    )
    assert options_unseen({"PIP_NO_COLOR": "1", "XDG_CONFIG_DIRS": str(tmp_path)}, tmp_path) == (
        "no-binary",
    )


# --- the index of the config ---------------------------------------------------------------------

INDEX = Index(
    url="https://one/simple",
    extra=("https://two/simple",),
    find_links=("/wheels",),
    certificate=Path("/ca.pem"),
    keyring=True,
)


def test_an_index_of_the_config_replaces_what_uv_and_pip_are_configured_with(
    tmp_path: Path,
) -> None:
    inherited = {"UV_INDEX": "https://other", "PIP_INDEX_URL": "https://pips"}
    found = variables_for_uv(inherited, tmp_path, CACHE, Installation(INDEX))
    assert found["UV_DEFAULT_INDEX"] == "codelocd=https://one/simple"
    assert found["UV_INDEX"] == "https://two/simple"
    assert found["UV_FIND_LINKS"] == "/wheels"
    assert found["SSL_CERT_FILE"] == "/ca.pem"
    assert found["UV_KEYRING_PROVIDER"] == "subprocess"
    pips = variables_for_pip(inherited, INDEX)
    assert pips["PIP_CONFIG_FILE"] == os.devnull
    assert pips["PIP_INDEX_URL"] == "https://one/simple"
    assert pips["PIP_EXTRA_INDEX_URL"] == "https://two/simple"
    assert pips["PIP_CERT"] == "/ca.pem"


def test_a_credential_is_read_when_it_is_needed_and_is_no_part_of_a_key(tmp_path: Path) -> None:
    (tmp_path / "pypi").write_text("ada:se:cret\n")
    index = Index(url="https://one/simple", credential="pypi")
    variables = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    found = variables_for_uv(variables, tmp_path, CACHE, Installation(index))
    assert found["UV_INDEX_CODELOCD_USERNAME"] == "ada"
    assert found["UV_INDEX_CODELOCD_PASSWORD"] == "se:cret"
    assert "se:cret" not in str(settings_that_count(found))
    assert "ada" not in str(settings_that_count(found).values())


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        (
            None,
            (
                "cannot be read: No such file or directory; "
                "give it to the service (LoadCredential=pypi:/PATH), and restart that"
            ),
        ),
        ("only-a-token\n", "is not one line `user:password`"),
        ("ada:one\nada:two\n", "is not one line `user:password`"),
    ],
)
def test_a_credential_that_is_none_is_named_without_its_content(
    tmp_path: Path, text: str | None, summary: str
) -> None:
    if text:
        (tmp_path / "pypi").write_text(text)
    index = Index(url="https://one/simple", credential="pypi")
    variables = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with pytest.raises(EnvironmentProblem) as caught:
        variables_for_uv(variables, tmp_path, CACHE, Installation(index))
    assert caught.value.summary == f"index: the credential {tmp_path}/pypi {summary}"


def test_a_credential_without_a_folder_of_credentials_says_what_to_do(tmp_path: Path) -> None:
    index = Index(url="https://one/simple", credential="pypi")
    with pytest.raises(EnvironmentProblem, match="LoadCredential=pypi:/PATH"):
        variables_for_uv({}, tmp_path, CACHE, Installation(index))


# --- a Python that is fetched --------------------------------------------------------------------


def test_no_python_is_fetched_unless_it_is_allowed(store: Store, workplace: Path) -> None:
    wanted = choose(Request(python="3.99"), code=workplace).specification
    with pytest.raises(EnvironmentProblem, match=r"python 3\.99 \(asked for\) not found"):
        store.build(wanted, print)


def test_where_it_is_allowed_uv_is_asked_and_its_failure_is_shown(
    store: Store, workplace: Path
) -> None:
    allowed = Installation(allow_python_download=True)
    wanted = choose(Request(python="3.99", installation=allowed), code=workplace).specification
    assert store.find(wanted) is None
    steps: list[Progress] = []
    with pytest.raises(EnvironmentProblem, match="and uv could not fetch it") as caught:
        store.build(wanted, steps.append)
    assert "3.99" in caught.value.detail
    assert ("downloading", "python 3.99") in [(step.phase, step.message) for step in steps]


def test_a_fetched_python_is_found(store_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = store_root / "pythons" / "cpython-3.99" / "bin"
    fetched.mkdir(parents=True)
    (fetched / "python3.99").symlink_to(sys.executable)
    monkeypatch.setattr(
        "codeloc_envs.interpreters._is_virtual", lambda path: "pythons" not in str(path)
    )
    (found,) = Store(store_root).pythons()
    assert found.executable == fetched / "python3.99"


def test_how_it_is_built_survives_json(workplace: Path) -> None:
    asked = Request(installation=Installation(INDEX, "copy", "pip", allow_python_download=True))
    specification = choose(asked, code=workplace).specification
    assert specification.request.installation == asked.installation
    assert Specification.from_json(specification.to_json()) == specification
