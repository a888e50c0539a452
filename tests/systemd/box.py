"""A real systemd: PID 1 of a container on a copy of this machine that is thrown away."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.daemons import DEADLINE, wait_for

ROOT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
"""The interpreter in the box: one that other users than root can execute."""

CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
"""Those that this machine trusts, for the package index."""

CGROUPS = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
"""Where the hierarchy of systemd may be: with version 1 beside it, or alone."""


def missing() -> str | None:
    """Why no systemd can be booted here; None where one can."""
    if sys.platform != "linux":
        return "systemd is Linux's"
    if os.geteuid() != 0:
        return "only root may boot a container"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is not installed (Debian: apt install systemd-container)"
    asked = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    if not os.path.exists(PYTHON) or subprocess.run([PYTHON, "-c", asked]).returncode:
        return f"{PYTHON} is no Python 3.11 or newer"
    probe = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs probe /mnt"]
    if subprocess.run(probe, capture_output=True).returncode:
        return "this machine lets root mount nothing"
    return None


PACKAGES = "python3,systemd,systemd-sysv,dbus,procps"


def own_release() -> str:
    """The name of the Debian that this machine has."""
    lines = Path("/etc/os-release").read_text().splitlines()
    named = [line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME=")]
    return named[0].strip('"') if named else ""


def debian(release: str, folder: Path, *more: str) -> Path:
    """A minimal Debian of that release, with systemd, Python and `more`, in a new folder. Skips the
    test where none can be had."""
    if reason := missing():
        pytest.skip(reason)
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    words = ["--variant=minbase", f"--include={','.join((PACKAGES, *more))}"]
    made = subprocess.run(
        ["mmdebstrap", "--quiet", *words, release, folder], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"mmdebstrap made no Debian: {made.stderr.strip().splitlines()[-1]}")
    return folder


class Box:
    """The container. What is written in it is in memory, and gone with it. `below`: the folder of
    the system that it has a copy of."""

    def __init__(self, folder: Path, below: Path = Path("/")) -> None:
        self._folder = folder
        self._below = below
        self.root = folder / "root"
        self._stack = contextlib.ExitStack()
        self._name = f"codelocd-{folder.name}"
        self._container: subprocess.Popen[bytes] | None = None

    # --- before it boots -----------------------------------------------------------------------

    def make(self) -> None:
        """Lay a file system in memory over this machine's."""
        memory = self._folder / "memory"
        for each in (memory, self.root):
            each.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=3g", "memory", memory)
        layers = [memory / "written", memory / "work"]
        for each in layers:
            each.mkdir()
        options = f"lowerdir={self._below},upperdir={layers[0]},workdir={layers[1]}"
        self._mount("-t", "overlay", "-o", options, "overlay", self.root)
        (self.root / "etc" / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (self.root / "etc" / "fstab").write_text("")

    def _mount(self, *words: str | Path) -> None:
        subprocess.run(["mount", *words], check=True)
        self._stack.callback(subprocess.run, ["umount", "--lazy", words[-1]], check=False)

    def install(self, wheel: Path) -> None:
        """codelocd as an administrator would install it, at /opt/codelocd."""
        there = self.root / "opt" / wheel.name
        shutil.copy(wheel, there)
        uv = self.root / "usr" / "local" / "bin" / "uv"
        shutil.copy(Path(sys.executable).with_name("uv"), uv)
        self.trust()
        self._before("uv", "venv", "--quiet", "--python", PYTHON, "/opt/codelocd")
        program = "/opt/codelocd/bin/python"
        self._before("uv", "pip", "install", "--quiet", "--python", program, f"/opt/{wheel.name}")
        (self.root / "usr/local/bin/codelocd").symlink_to("/opt/codelocd/bin/codelocd")

    def trust(self) -> None:
        """What this machine trusts is trusted in the box."""
        certificates = self.root / CERTIFICATES.relative_to("/")
        if CERTIFICATES.exists() and not certificates.exists():
            certificates.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CERTIFICATES, certificates)

    def _before(self, *command: str) -> None:
        script = 'mount --bind /dev "$0/dev"; mount -t proc proc "$0/proc"; exec chroot "$0" "$@"'
        words = ["unshare", "--mount", "sh", "-ec", script, str(self.root), *command]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    # --- while it runs -------------------------------------------------------------------------

    def boot(self, *, online: bool = False) -> None:
        """Returns when systemd has started what it starts. `online`: with this machine's network,
        to reach the package index."""
        enter = "".join(f"echo $$ > {group}/cgroup.procs; " for group in self._cgroups())
        command = [
            *("systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot"),
            *(f"--machine={self._name}", "--register=no", "--keep-unit", "--link-journal=no"),
            *([] if online else ["--private-network"]),
            *("--console=pipe", "systemd.unit=basic.target"),
        ]
        with (self._folder / "console").open("wb") as console:
            self._container = subprocess.Popen(
                ["sh", "-c", f'{enter}exec "$@"', "boot", *command],
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stack.callback(self._power_off)
        wait_for(self._is_up)

    def _cgroups(self) -> Iterator[Path]:
        """Groups of its own: from the root group it would take this machine's processes along."""
        for hierarchy in CGROUPS:
            if os.access(f"{hierarchy}/cgroup.procs", os.W_OK):
                group = Path(hierarchy, self._name)
                group.mkdir()
                self._stack.callback(_remove_group, group)
                yield group

    def _is_up(self) -> bool:
        assert self._container is not None
        said = (self._folder / "console").read_text(errors="replace")
        assert self._container.poll() is None, f"the container ended: {said}"
        if self._leader() is None:
            return False
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def _leader(self) -> str | None:
        """The pid of systemd, here: the one child of the container's process."""
        assert self._container is not None
        pid = self._container.pid
        with contextlib.suppress(FileNotFoundError):
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return found[0] if found else None
        return None

    def _inside(self, command: Sequence[str]) -> list[str]:
        leader = self._leader()
        assert leader is not None, "the container has ended"
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return ["nsenter", "--target", leader, *spaces, "--", *command]

    def run(
        self, *command: str, check: bool = True, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """What a command in the box says. With `check` it has to succeed."""
        done = subprocess.run(
            self._inside(command),
            input=given,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=_environ(),
            cwd="/",
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A command that goes on in the box."""
        return subprocess.Popen(
            self._inside(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environ(),
            cwd="/",
        )

    def write(self, path: str, text: str) -> None:
        """A file in the box that every user there can read, with its folders."""
        self.run("sh", "-c", 'umask 022; mkdir -p "$(dirname "$0")"; cat > "$0"', path, given=text)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit, as `systemctl show` has it."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def close(self) -> None:
        self._stack.close()

    def serving(self, socket: str) -> dict[str, int]:
        """The pids of the runners that serve, as the daemon at that socket says."""
        done = self.run("codelocd", "--socket", socket, "status", "--json", check=False)
        entries = json.loads(done.stdout)["locations"] if done.stdout else []
        return {each["name"]: each["pid"] for each in entries if each["pid"]}

    def _power_off(self) -> None:
        assert self._container is not None
        self._container.send_signal(signal.SIGTERM)
        try:
            self._container.wait(30)
        except subprocess.TimeoutExpired:
            self._container.kill()
            self._container.wait()


def _environ() -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def _remove_group(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
