"""A whole emulated machine: a kernel of its own, with every controller of cgroup v2.

A container has the controllers of its host, which may have none to give. The processor is emulated,
too (TCG), so that it works within another virtual machine; it is slow.
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path

NEEDED = ("qemu-system-x86_64", "mmdebstrap", "busybox", "cpio", "mke2fs", "modprobe", "depmod")
PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "ext4")
PATIENCE = 2400
"""Seconds for the machine to boot, do its work and power off."""

ENDED = "MACHINE-ENDED "
UNIT = """\
[Unit]
After=basic.target
Requires=basic.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/sh /opt/check.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/hvc0
"""
SCRIPT = """\
ip link set lo up
/opt/codelocd/bin/python /opt/check.py
echo MACHINE-ENDED $?
"""
FIRST_PROCESS = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc p /proc
$b mount -t sysfs s /sys
$b mount -t devtmpfs d /dev
while read m; do $b insmod /modules/$m; done < /modules/order
$b mount -t ext4 /dev/vda /root || exec $b sh
for m in /proc /sys /dev; do $b mount --move $m /root$m; done
exec $b switch_root /root /lib/systemd/systemd
"""


def missing() -> str | None:
    """Why no machine can be emulated here; None where one can."""
    if platform.machine() != "x86_64":
        return "the machine that is emulated is an x86_64, with the kernel that apt has here"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def kernel(folder: Path) -> Path | None:
    """Debian's kernel for virtual machines, unpacked into a new folder; None where apt has none."""
    folder.mkdir()
    asked = ("apt-cache", "depends", PACKAGE)
    said = subprocess.run(asked, capture_output=True, text=True).stdout
    named = [line.split()[-1] for line in said.splitlines() if "Depends: linux-image-" in line]
    fetch = ["apt-get", "download", "-qq", *named[:1]]
    if not named or subprocess.run(fetch, cwd=folder, capture_output=True).returncode:
        return None
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg", "-x", package, folder], check=True)
    package.unlink()
    return folder


class Machine:
    """With a disk that has a copy of `root`. Each boot runs the Python program `check` in it as
    root, and what it prints is what the machine prints. `journal`: the file system has one, as
    those of real machines have; without it the machine works sooner."""

    def __init__(
        self, root: Path, kernel: Path, folder: Path, check: str, *, journal: bool = False
    ) -> None:
        (self._image,) = kernel.glob("boot/vmlinuz-*")
        self._folder = folder
        self.disk = folder / "disk"
        (root / "opt" / "check.py").write_text(check)
        (root / "opt" / "check.sh").write_text(SCRIPT)
        units = root / "etc" / "systemd" / "system"
        (units / "check.service").write_text(UNIT)
        (units / "systemd-udevd.service").symlink_to("/dev/null")
        features = () if journal else ("-O", "^has_journal")
        make = ["mke2fs", "-q", "-t", "ext4", *features, "-d", str(root), str(self.disk), "2G"]
        subprocess.run(make, check=True)
        self._first = _first_disk(kernel, self._image.name.removeprefix("vmlinuz-"), folder)

    def run(self) -> str:
        """Boot, until the machine powers off. What it printed. Raises AssertionError where that
        did not end well."""
        drive = ("-drive", f"file={self.disk},if=virtio,format=raw,cache=unsafe")
        printed, said = self._boot(drive, None)
        assert f"{ENDED}0" in printed, printed + said
        return printed

    def cut(self, line: str) -> str:
        """Boot, and take the power as soon as the machine has printed the line: of what it had
        written, the disk has what it had been told to flush (fsync), and nothing after that. What
        it printed. Raises AssertionError where the line did not come."""
        log = self._folder / "log"
        log.touch()
        kept = self._folder / "kept"
        subprocess.run(["cp", "--sparse=always", self.disk, kept], check=True)
        file = f"file.driver=file,file.filename={self.disk}"
        logged = f"driver=blklogwrites,{file},log.driver=file,log.filename={log}"
        drive = ("-blockdev", f"node-name=disk,{logged}", "-device", "virtio-blk-pci,drive=disk")
        printed, said = self._boot(drive, line)
        assert line in printed, printed + said
        write_flushed(log, kept)
        kept.rename(self.disk)
        log.unlink()
        return printed

    def _boot(self, drive: Sequence[str], until: str | None) -> tuple[str, str]:
        """What machine and emulator print until the end, or until a line."""
        words = "quiet console=hvc0 panic=-1 systemd.unit=check.service systemd.show_status=no"
        emulator = [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none"),
            *("-no-reboot", "-kernel", str(self._image), "-initrd", str(self._first)),
            *("-append", words, *drive),
            *("-device", "virtio-serial-pci", "-chardev", "stdio,id=con,signal=off"),
            *("-device", "virtconsole,chardev=con"),
        ]
        printed: list[str] = []
        said = self._folder / "said"
        with (
            said.open("wb") as errors,
            subprocess.Popen(
                emulator, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            ) as it,
        ):
            alarm = threading.Timer(PATIENCE, it.kill)
            alarm.start()
            try:
                assert it.stdout is not None
                for each in it.stdout:
                    printed.append(each.decode(errors="replace").replace("\r", ""))
                    if until is not None and until in printed[-1]:
                        break
            finally:  # at the end of what it prints it has powered off
                it.kill()
                alarm.cancel()
        return "".join(printed), said.read_text(errors="replace")


# --- what the disk keeps -----------------------------------------------------------------------

SECTOR = 512
LOG_HEAD = struct.Struct("<QQQI")
"""Of a log of writes, as the kernel's dm-log-writes and qemu's blklogwrites write it: a magic
number, the version, how many entries there were at the newest flush, the size of a sector."""
LOG_ENTRY = struct.Struct("<QQQQ")
"""First sector, count of sectors, flags, bytes of a mark. The data comes in the next sector."""
MAGIC, FLUSH, DISCARD = 0x6A736677736872, 1, 4


def write_flushed(log: Path, disk: Path) -> None:
    """Write to the disk what the log has up to the newest flush."""
    with log.open("rb") as read, disk.open("r+b") as written:
        magic, _, entries, size = LOG_HEAD.unpack(read.read(SECTOR)[: LOG_HEAD.size])
        assert (magic, size) == (MAGIC, SECTOR), "it is no log of writes"
        flushes = 0
        for _ in range(entries):
            first, count, flags, _ = LOG_ENTRY.unpack(read.read(SECTOR)[: LOG_ENTRY.size])
            flushes += bool(flags & FLUSH)
            if count and not flags & DISCARD:
                written.seek(first * SECTOR)
                written.write(read.read(count * SECTOR))
        assert flushes, "nothing was flushed"


# --- the disk that it begins with ---------------------------------------------------------------


def _first_disk(kernel: Path, version: str, folder: Path) -> Path:
    """The disk in memory that the kernel begins with: busybox, and the modules of the real disk."""
    tree, disk = folder / "first", folder / "first.cpio"
    for name in ("bin", "modules", "proc", "sys", "dev", "root"):
        (tree / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, tree / "bin" / "busybox")
    subprocess.run(["depmod", "-b", kernel, version], check=True)
    order: dict[str, None] = {}
    for module in MODULES:
        asked = ["modprobe", "-d", str(kernel), "-S", version, "--show-depends", module]
        said = subprocess.run(asked, capture_output=True, text=True).stdout
        files = [line.split()[1] for line in said.splitlines() if line.startswith("insmod ")]
        for file in files:
            shutil.copy(file, tree / "modules")
            order[os.path.basename(file)] = None
    (tree / "modules" / "order").write_text("".join(f"{name}\n" for name in order))
    (tree / "init").write_text(textwrap.dedent(FIRST_PROCESS))
    (tree / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(tree)) for path in tree.rglob("*"))
    pack = ["cpio", "-o", "-H", "newc", "--quiet"]
    with disk.open("wb") as packed:
        subprocess.run(pack, input=names.encode(), stdout=packed, cwd=tree, check=True)
    return disk
