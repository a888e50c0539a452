"""Builds dist/codelocd_VERSION_ARCHITECTURE.deb from the wheel in dist/, for the system's Python.

`make deb` runs it. The package is a virtualenv at /opt/codelocd, packed by dpkg-deb, which every
Debian has: debhelper and its Python add-ons would build each dependency from a Debian package of
its own, and Debian has no recent uv. Nothing is compiled or fetched when it is installed.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from codelocd import __version__
from codelocd.cli.units import unit_texts

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "packaging" / "debian"
PREFIX = Path("/opt/codelocd")
PYTHON = "/usr/bin/python3"
SCRIPTS = ("postinst", "prerm", "postrm")
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/codelocd",
    "zsh": "usr/share/zsh/vendor-completions/_codelocd",
    "fish": "usr/share/fish/vendor_completions.d/codelocd.fish",
}
UNITS = ((False, "lib/systemd/system"), (True, "usr/lib/systemd/user"))
"""Whether the units are those of a user, and where systemd finds them."""


def main() -> None:
    tree = ROOT / "build" / "deb"
    shutil.rmtree(tree, ignore_errors=True)
    (wheel,) = (ROOT / "dist").glob("*.whl")
    installed = tree / PREFIX.relative_to("/")
    environment(wheel, installed)
    man_pages(installed / "share" / "man", tree / "usr" / "share" / "man")
    completions(installed / "bin" / "codelocd", tree)
    at_home(tree, installed)
    files(tree)
    bytecode(tree, installed)
    control(tree)
    package = ROOT / "dist" / f"codelocd_{__version__}_{asked('dpkg', '--print-architecture')}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, package)


def environment(wheel: Path, folder: Path) -> None:
    """A virtualenv of the system's Python, which has codelocd and all that it needs."""
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--no-project", "--python", PYTHON, folder)
    run(uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel)


def man_pages(made: Path, folder: Path) -> None:
    for page in sorted(made.rglob("*.[15]")):
        target = folder / page.parent.name / f"{page.name}.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(page.read_bytes(), mtime=0))
    shutil.rmtree(made)


def completions(command: Path, tree: Path) -> None:
    for shell, path in COMPLETIONS.items():
        write(tree / path, asked(command, "completions", shell) + "\n")


def at_home(tree: Path, installed: Path) -> None:
    """Takes the folder of the build out of every text that names it."""
    here, there = os.fsencode(tree), b""
    for path in (*installed.rglob("bin/*"), *installed.rglob("*.cfg"), *installed.rglob("*.pth")):
        if path.is_file() and not path.is_symlink() and here in (content := path.read_bytes()):
            path.write_bytes(content.replace(here, there))
    for name in (".gitignore", ".lock", "CACHEDIR.TAG"):
        (installed / name).unlink(missing_ok=True)
    for path in installed.rglob("*.dist-info"):
        for name in ("direct_url.json", "RECORD", "uv_cache.json"):  # they name the wheel's place
            (path / name).unlink(missing_ok=True)


def files(tree: Path) -> None:
    for user, folder in UNITS:
        for name, text in unit_texts(user).items():
            write(tree / folder / name, text)
    copy(ROOT / "systemd" / "sysusers.conf", tree / "usr/lib/sysusers.d/codelocd.conf")
    copy(SOURCE / "codelocd.toml", tree / "etc/codelocd/codelocd.toml")
    copy(ROOT / "docs" / "codelocd.schema.json", tree / "usr/share/codelocd/codelocd.schema.json")
    documents = tree / "usr/share/doc/codelocd"
    copy(ROOT / "LICENSE", documents / "copyright")
    changes = gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0)
    (documents / "changelog.gz").write_bytes(changes)
    shutil.copytree(ROOT / "systemd" / "drop-ins", documents / "drop-ins")
    shutil.copytree(ROOT / "examples" / "quickstart", documents / "quickstart", ignore=hidden)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/codelocd").symlink_to(PREFIX / "bin" / "codelocd")


def hidden(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(".") or name == "__pycache__"]


def bytecode(tree: Path, installed: Path) -> None:
    """The service cannot write there, so what is not compiled now is compiled at each start."""
    for found in tree.rglob("__pycache__"):
        shutil.rmtree(found)
    run(
        PYTHON, "-m", "compileall", "-q", "-s", tree, "-p", "/",
        "--invalidation-mode", "unchecked-hash", installed / "lib",
    )  # fmt: skip


def control(tree: Path) -> None:
    minor = asked(PYTHON, "-c", "import sys; print(sys.version_info[1])")
    size = sum(path.lstat().st_size for path in tree.rglob("*")) // 1024
    write(
        tree / "DEBIAN" / "control",
        (SOURCE / "control").read_text().format(
            version=__version__, architecture=asked("dpkg", "--print-architecture"), size=size,
            python=f"3.{minor}", next_python=f"3.{int(minor) + 1}",
        ),
    )  # fmt: skip
    write(tree / "DEBIAN" / "conffiles", "/etc/codelocd/codelocd.toml\n")
    write(tree / "DEBIAN" / "md5sums", "".join(digests(tree)))
    for name in SCRIPTS:
        copy(SOURCE / name, tree / "DEBIAN" / name)
        (tree / "DEBIAN" / name).chmod(0o755)


def digests(tree: Path) -> Iterator[str]:
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree)
        if path.is_file() and not path.is_symlink() and name.parts[0] not in ("DEBIAN", "etc"):
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            yield f"{digest}  {name}\n"


def copy(source: Path, target: Path) -> None:
    write(target, source.read_text())


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def asked(*command: str | Path) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
