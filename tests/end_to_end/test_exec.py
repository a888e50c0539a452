"""`codelocd exec`: a command in a location's environment, with a daemon and without one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import commands
from tests.end_to_end.daemons import CACHE, CODELOCD, DEADLINE, StartDev, native

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environ(project: Path, tmp_path: Path) -> dict[str, str]:
    """A project in a shell that has a pytest of another Python on its PATH."""
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nenv = { REGION = "eu" }\n'
        '[location.sales.environment]\nrequirements = ["requirements.txt"]\n'
    )
    (project / "requirements.txt").touch()
    (project / "defs.py").write_text(native("one"))
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    (strangers / "pytest").write_text("#!/usr/bin/python3\nprint('a stranger ran')\n")
    (strangers / "pip").symlink_to("pytest")
    (strangers / "pytest").chmod(0o755)
    (tmp_path / "home" / "run").mkdir(parents=True, mode=0o700)
    environ = os.environ | {
        "XDG_RUNTIME_DIR": str(tmp_path / "home" / "run"),
        "XDG_STATE_HOME": str(tmp_path / "home" / "state"),
        "XDG_DATA_HOME": str(CACHE),
        "PATH": f"{strangers}:{os.environ['PATH']}",
    }
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "CODELOCD_SOCKET"):
        environ.pop(name, None)
    return environ


@pytest.fixture
def run(project: Path, environ: dict[str, str]) -> Run:
    def run(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return commands.run(["exec", *words], cwd=project, environ=environ, given=given)

    return run


def test_without_a_daemon_the_environment_is_built_and_the_command_runs_in_it(
    run: Run, project: Path, environ: dict[str, str]
) -> None:
    code = (
        "import codeloc, os, sys; print(os.environ['REGION'], os.getcwd(), sys.prefix,"
        " os.environ['DAGSTER_IS_DEV_CLI'], sys.stdin.read()); sys.exit(5)"
    )
    done = run("sales", "--", "python", "-c", code, given="hello")
    assert done.returncode == 5, done.stderr
    region, directory, prefix, development, given = done.stdout.split()
    assert (region, directory, development, given) == ("eu", str(project), "1", "hello")
    assert prefix.startswith(str(CACHE / "codelocd" / "environments"))

    waits = "import signal; print('ready', flush=True); signal.pause()"
    words: list[str | Path] = [CODELOCD, "exec", "sales", "--", "python", "-c", waits]
    with subprocess.Popen(words, cwd=project, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait(DEADLINE) == -signal.SIGTERM


def test_what_is_not_in_the_environment_is_refused(run: Run, project: Path, tmp_path: Path) -> None:
    done = run("sales", "--", "pytest", "-q")
    assert (done.stdout, done.returncode) == ("", 127)
    line = done.stderr.splitlines()[-1]  # before it, how far the environment is
    stranger = tmp_path / "strangers" / "pytest"
    assert line.startswith(f"codelocd: pytest, found as {stranger}, is not in the environment of")
    assert f"brings it, add the line pytest to {project}/requirements.txt; to run it" in line
    assert line.endswith("to run it all the same: codelocd exec --outside sales -- pytest -q")
    assert run("--outside", "sales", "--", "pytest").stdout == "a stranger ran\n"

    pip = run("sales", "--", "pip", "install", "-U", "pandas")
    assert pip.returncode == 127
    assert f"asks for: add the line pandas to {project}/requirements.txt" in pip.stderr

    absolute = run("sales", "--", str(stranger))
    assert absolute.returncode == 126
    assert f"codelocd: {stranger} is not in the environment of sales" in absolute.stderr


def test_a_command_that_is_missing_or_cannot_be_run_says_so(run: Run, project: Path) -> None:
    missing = run("sales", "--", "no-such-command")
    assert missing.returncode == 127
    assert missing.stderr.startswith("codelocd: there is no command 'no-such-command' in the env")
    assert run("sales", "--", "./nothing").returncode == 127
    (project / "load.py").write_text("#!/usr/bin/env python\nimport sys; print(sys.prefix)\n")
    assert run("sales", "--", "./load.py").returncode == 126
    (project / "load.py").chmod(0o755)
    assert str(CACHE) in run("sales", "--", "./load.py").stdout
    assert "is a folder" in run("--outside", "sales", "--", "/usr").stderr
    unknown = run("slaes", "--", "python")
    assert (unknown.returncode, unknown.stdout) == (4, "")
    (project / "requirements.txt").write_text("no spaces allowed\n")
    broken = run("sales", "--", "python")
    assert broken.returncode == 1
    assert broken.stderr.splitlines()[-1].startswith("codelocd: sales: ")
    (project / "codelocd.toml").write_text("[location.sales]\nx = 1\ny = 2\n")
    invalid = run("sales", "--", "python")
    assert invalid.returncode == 2
    assert len(invalid.stderr.splitlines()) == 3


def test_a_daemon_that_runs_gives_the_same_answers(
    dev: StartDev, project: Path, environ: dict[str, str], run: Run
) -> None:
    daemon = dev()
    daemon.until_serving("sales")
    refused = run("sales", "--", "pip", "install", "pandas")
    assert refused.returncode == 127
    assert f"add the line pandas to {project}/requirements.txt" in refused.stderr
    assert run("sales", "--", "python", "-c", "raise SystemExit(7)").returncode == 7

    waits = "import sys; print(sys.prefix, flush=True); sys.stdin.read()"
    words: list[str | Path] = [CODELOCD, "exec", "sales", "python", "-c", waits]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=project, env=environ, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        prefix = Path(os.fsdecode(process.stdout.readline().rstrip()))
        daemon.stop()
        key = prefix.name.rpartition("-")[0]
        listed: list[str | Path] = [CODELOCD, "env", "prune", "--dry-run", "--idle", "0", "--json"]
        told = subprocess.check_output(listed, cwd=project, env=environ)
        assert key not in json.loads(told)["keys"]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


def test_what_follows_the_command_is_its_own_without_a_dash_dash_too(run: Run) -> None:
    show = "import sys; print(sys.argv[1:])"
    given = ["--user", "--socket", "x", "--outside", "--help", "-v", "--", "--system"]
    for words in (["sales", "python"], ["sales", "--", "python"], ["--", "sales", "python"]):
        done = run(*words, "-c", show, *given)
        assert (done.returncode, done.stdout.strip()) == (0, str(given)), done.stderr
    assert run("sales", "--outside", "sh", "-c", "exit 3").returncode == 3
    assert run("sales", "--outsid", "sh").returncode == 2


def test_words_that_name_no_program_are_told_so(run: Run, project: Path) -> None:
    for word in ("", "A=1", "x.py", "pandas>=2", "-", "é"):
        done = run("sales", "--", word, "python")
        line = done.stderr.splitlines()[-1]
        assert (done.returncode, done.stdout) == (127, ""), line
        assert line.startswith(f"codelocd: there is no command {word!r} in the environment of")
    (project / "load.py").write_text("print('loaded')\n")
    (project / "load.py").chmod(0o755)
    told = run("sales", "--", "./load.py", "--fast")
    assert told.returncode == 126
    assert told.stderr.endswith("to run it: codelocd exec sales -- python ./load.py --fast\n")


@pytest.fixture
def conda(project: Path) -> Path:
    """A prefix as conda leaves one: a Python whose prefix it is, no pyvenv.cfg, and scripts that
    activating it runs. No conda can be had from a package index, nor what it would install."""
    prefix = project / "prefix"
    for folder in ("bin", "conda-meta", "etc/conda/activate.d"):
        (prefix / folder).mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), prefix / "bin" / "python")
    (prefix / "lib").symlink_to(Path(sys.base_prefix, "lib"))
    (prefix / "conda-meta" / "history").touch()
    activate = prefix / "etc" / "conda" / "activate.d" / "gdal.sh"
    activate.write_text('export GDAL_DATA="$CONDA_PREFIX/share/gdal"\n')
    (prefix / "bin" / "tool").write_text(
        f"#!{prefix}/bin/python\nprint('the tool of the prefix')\n"
    )
    (prefix / "bin" / "tool").chmod(0o755)
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nenvironment = { path = "prefix" }\n'
    )
    return prefix


def test_a_command_in_a_conda_prefix_runs_as_if_that_were_activated(
    environ: dict[str, str], run: Run, conda: Path, dev: StartDev
) -> None:
    code = "import codeloc, os, sys; print(sys.prefix, *map(os.environ.get, sys.argv[1:]))"
    words = ("sales", "--", "python", "-c", code, "CONDA_PREFIX", "GDAL_DATA")
    said = f"{conda} {conda} {conda}/share/gdal\n"
    alone = run(*words)
    assert (alone.returncode, alone.stdout) == (0, said), alone.stderr
    assert run("sales", "--", "tool").stdout == "the tool of the prefix\n"
    refused = run("sales", "--", "pytest")
    assert refused.returncode == 127
    assert "a stranger ran" not in refused.stdout
    daemon = dev()
    daemon.until_serving("sales")
    assert daemon.cli("exec", *words).stdout == said
