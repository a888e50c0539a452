"""What lies in the project for other tools: the recipe of a container, hooks for pre-commit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging" / "Containerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
CODELOCD = Path(sys.executable).with_name("codelocd")
PRE_COMMIT = Path(sys.executable).with_name("pre-commit")
CACHE = ROOT / ".cache" / "tests"
NEEDED = ("buildah", "mmdebstrap")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
BASE = "docker.io/library/python:3.13-slim"
"""What the recipe begins with."""
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
CONFIG = """
[location.sales]
python_file = "/srv/defs.py"
environment = { packages = [] }
"""
CODE = (
    "from codeloc import Definitions, asset\n@asset\ndef a(): ...\ndefs = Definitions(assets=[a])\n"
)
SERVED = """
tini -s -- codelocd serve --system -c /etc/codelocd/codelocd.toml &
for try in $(seq 600); do
    codelocd --system status 2>/dev/null | grep -q serving && break
    sleep 0.2
done
codelocd --system status && codelocd --system shutdown && wait && echo "ended as $(id -u)"
"""


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint has no build for this machine")
def test_a_linter_has_nothing_to_say_of_the_recipe() -> None:
    looked = subprocess.run([HADOLINT, RECIPE], text=True, capture_output=True, check=False)
    assert (looked.stdout, looked.returncode) == ("", 0)


class Builder:
    """buildah with a store of its own, in which nothing needs a kernel that containers may use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._words = ["buildah", "--root", str(folder / "store"), "--runroot", str(folder / "run")]

    def run(self, *words: str | Path, check: bool = True) -> str:
        environ = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
        done = subprocess.run(
            [*self._words, *words], env=environ, text=True, capture_output=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip() if done.returncode == 0 else ""

    def have_base(self) -> None:
        """The image itself, or where no registry can be reached, a Debian with its Python."""
        if self.run("pull", "--quiet", BASE, check=False):
            return
        root = self.folder / "root"
        words = ["--variant=minbase", f"--include={PACKAGES}", "trixie", str(root)]
        subprocess.run(["mmdebstrap", "--quiet", *words], check=True, capture_output=True)
        for trusted in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"):
            if os.path.exists(trusted):
                shutil.copy(trusted, f"{root}{trusted}")
        container = self.run("from", "scratch")
        self.run("copy", "--quiet", container, root, "/")
        self.run("commit", "--quiet", container, BASE)
        self.run("rm", container)
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may build an image without a user namespace"
)
def test_the_recipe_is_built_and_the_container_serves_a_location(tmp_path: Path) -> None:
    builder = Builder(tmp_path)
    builder.have_base()
    source = ("--format", "docker", "--pull-never", "--network", "host", "-f", RECIPE)
    builder.run("build", *source, "-t", "codelocd", ROOT)
    container = builder.run("from", "--pull-never", "localhost/codelocd")
    for name, text in (("codelocd.toml", CONFIG), ("defs.py", CODE), ("serve.sh", SERVED)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644)
        folder = "/etc/codelocd" if name == "codelocd.toml" else "/srv"
        builder.run("copy", "--quiet", container, tmp_path / name, f"{folder}/{name}")
    said = builder.run("run", "--user", "10001", container, "--", "sh", "/srv/serve.sh")
    assert re.search(r"sales +serving", said), said
    assert said.endswith("ended as 10001")
    builder.run("rm", "--all")


def test_the_container_runs_a_user_an_init_and_a_check_of_its_health() -> None:
    lines = RECIPE.read_text()
    assert re.search(r"^USER [1-9]\d+$", lines, re.MULTILINE)
    assert '["tini", "--", "codelocd"]' in lines
    assert "HEALTHCHECK" in lines
    assert 'VOLUME ["/var/lib/codelocd"]' in lines


HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def project(folder: Path) -> Path:
    """One whose locations could be served by an activated environment."""
    folder.mkdir()
    (folder / "workspace.yaml").write_text("load_from:\n  - python_file: etl.py\n")
    source = (
        "import sys\nfrom codeloc import Definitions\nprint(sys.prefix)\ndefs = Definitions()\n"
    )
    (folder / "etl.py").write_text(source)
    (folder / "requirements.txt").write_text("")
    return folder


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_leaves_out_the_environment_that_its_runner_keeps_codelocd_in(
    tmp_path: Path, hook: dict[str, Any]
) -> None:
    path = os.pathsep.join((str(CODELOCD.parent), os.environ["PATH"]))
    activated = {"PATH": path, "VIRTUAL_ENV": str(CODELOCD.parents[1]), "XDG_DATA_HOME": str(CACHE)}
    done = subprocess.run(
        hook["entry"].split(),
        cwd=project(tmp_path / "project"),
        env=os.environ | activated,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(CODELOCD.parents[1]) not in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not PRE_COMMIT.exists(), reason="pre-commit is not installed beside the tests")
def test_pre_commit_runs_the_hooks_of_the_newest_commit(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    homes = {"XDG_DATA_HOME": str(CACHE), "PRE_COMMIT_HOME": str(tmp_path / "hooks")}

    def run(*words: str | Path, cwd: Path = folder) -> subprocess.CompletedProcess[str]:
        environ = os.environ | homes
        return subprocess.run(words, cwd=cwd, env=environ, text=True, capture_output=True)

    newest = run("git", "rev-parse", "HEAD", cwd=ROOT).stdout.strip()
    hooks = [{"id": hook["id"]} for hook in HOOKS]
    config = {"repos": [{"repo": str(ROOT), "rev": newest, "hooks": hooks}]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    run("git", "init", "--quiet")
    run("git", "add", ".")
    done = run(PRE_COMMIT, "run", "--all-files")
    if "No matching distribution" in done.stdout:
        pytest.skip(f"no package index in reach: {done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "etl.py").write_text("def broken(")
    run("git", "add", ".")  # what is not staged is put aside by pre-commit
    done = run(PRE_COMMIT, "run", "--all-files")
    assert done.returncode == 1
    assert "✗ etl.py" in done.stdout, done.stdout


def test_the_workflow_of_the_page_runs_commands_that_exist() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    (text,) = re.findall(r"^```yaml\n(name: .*?)^```$", page, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(text)["jobs"]["check"]["steps"]
    commands = [
        step["run"].split("bin/codelocd ")[1] for step in steps if "bin/codelocd" in str(step)
    ]
    assert commands == ["config validate", "check"]
    for command in commands:
        asked = subprocess.run([CODELOCD, *command.split(), "--help"], capture_output=True)
        assert asked.returncode == 0
