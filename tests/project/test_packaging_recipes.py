"""What lies in the project for other tools: the recipe of a container, hooks for pre-commit."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging" / "Containerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
CODELOCD = Path(sys.executable).with_name("codelocd")
BUILDERS = [name for name in ("podman", "buildah") if shutil.which(name)]


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint has no build for this machine")
def test_a_linter_has_nothing_to_say_of_the_recipe() -> None:
    looked = subprocess.run([HADOLINT, RECIPE], text=True, capture_output=True, check=False)
    assert (looked.stdout, looked.returncode) == ("", 0)


@pytest.mark.slow
@pytest.mark.skipif(not BUILDERS, reason="neither podman nor buildah is installed")
def test_the_recipe_can_be_built() -> None:
    subprocess.run([BUILDERS[0], "build", "-f", RECIPE, ROOT], check=True)


def test_the_container_runs_a_user_an_init_and_a_check_of_its_health() -> None:
    lines = RECIPE.read_text()
    assert re.search(r"^USER [1-9]\d+$", lines, re.MULTILINE)
    assert '["tini", "--", "codelocd"]' in lines
    assert "HEALTHCHECK" in lines
    assert 'VOLUME ["/var/lib/codelocd"]' in lines


def test_each_hook_runs_a_command_that_exists() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["codelocd-validate", "codelocd-check"]
    for hook in hooks:
        program, *words = hook["entry"].split()
        assert program == "codelocd"
        asked = subprocess.run([CODELOCD, *words, "--help"], capture_output=True, check=False)
        assert asked.returncode == 0, asked.stderr
