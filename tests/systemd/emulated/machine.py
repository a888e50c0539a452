"""A whole emulated machine: a kernel of its own, with every controller of cgroup v2.

A container has the controllers of its host, which may have none to give. The processor is emulated,
too (TCG), so that it works within another virtual machine; it is slow.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import textwrap
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


def run(root: Path, kernel: Path, folder: Path, check: str) -> str:
    """Boot a machine with a copy of `root`, run the Python program `check` in it as root; what it
    printed. Raises AssertionError where it did not end well."""
    (image,) = kernel.glob("boot/vmlinuz-*")
    version = image.name.removeprefix("vmlinuz-")
    (root / "opt" / "check.py").write_text(check)
    (root / "opt" / "check.sh").write_text(SCRIPT)
    units = root / "etc" / "systemd" / "system"
    (units / "check.service").write_text(UNIT)
    (units / "systemd-udevd.service").symlink_to("/dev/null")
    disk = folder / "disk"
    options = ("-q", "-t", "ext4", "-O", "^has_journal")
    subprocess.run(["mke2fs", *options, "-d", str(root), str(disk), "2G"], check=True)
    first = _first_disk(kernel, version, folder)
    words = "quiet console=hvc0 panic=-1 systemd.unit=check.service systemd.show_status=no"
    emulator = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-no-reboot", "-kernel", str(image), "-initrd", str(first), "-append", words),
        *("-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"),
        *("-device", "virtio-serial-pci", "-chardev", "stdio,id=con,signal=off"),
        *("-device", "virtconsole,chardev=con"),
    ]
    done = subprocess.run(
        emulator, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
    )
    printed = done.stdout.decode(errors="replace").replace("\r", "")
    assert f"{ENDED}0" in printed, printed + done.stderr.decode(errors="replace")
    return printed


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
