"""The systemd units are ones that systemd understands."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codelocd.cli.units import unit_texts

UNITS = Path(__file__).parents[2] / "systemd"
ANALYZE = shutil.which("systemd-analyze")
CODELOCD = Path(sys.executable).with_name("codelocd")

AS_A_USER = "[Service]\nUser=nobody\nCapabilityBoundingSet=\n"
"""What holds for every service of a user's manager, and systemd-analyze counts as open."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def installed(unit: Path, folder: Path) -> Path:
    """The unit as it is, but for the place of the program, which has to exist."""
    text = unit.read_text()
    for place in ("/opt/codelocd/bin/codelocd", "%h/.local/bin/codelocd"):
        text = text.replace(f"={place} ", f"={CODELOCD} ")
    copy = folder / unit.name
    copy.write_text(text)
    return copy


def verify(*arguments: str | Path, runtime: Path) -> str:
    """What systemd says about units; it exits 0 even for keys that it does not know."""
    assert ANALYZE is not None
    verified = subprocess.run(
        [ANALYZE, "verify", *arguments],
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
        text=True,
        capture_output=True,
        check=False,
    )
    return verified.stdout + verified.stderr


@needs_systemd
def test_systemd_has_nothing_to_say_about_the_units_of_the_machine(tmp_path: Path) -> None:
    names = ("codelocd.service", "codelocd.socket", "codelocd-ui.service")
    units = [installed(UNITS / name, tmp_path) for name in names]
    assert verify(*units, runtime=tmp_path) == ""


@needs_systemd
def test_systemd_has_nothing_to_say_about_the_unit_of_a_user(tmp_path: Path) -> None:
    unit = installed(UNITS / "user" / "codelocd.service", tmp_path)
    assert verify("--user", unit, runtime=tmp_path) == ""


@needs_systemd
def test_a_unit_with_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    unit = installed(UNITS / "codelocd.service", tmp_path)
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in verify(unit, runtime=tmp_path)


@needs_systemd
@pytest.mark.parametrize(
    ("unit", "drop_in", "rating"),
    [
        ("codelocd.service", None, 1.5),
        ("codelocd.service", "strict.conf", 1.3),
        ("codelocd-ui.service", None, 1.3),
        ("codelocd@.service", None, 1.5),
        ("codelocd@.service", "strict.conf", 1.3),
        ("user/codelocd.service", None, 6.3),
        ("user/codelocd.service", AS_A_USER, 3.8),
    ],
)
def test_the_service_is_exposed_to_little(
    unit: str, drop_in: str | None, rating: float, tmp_path: Path
) -> None:
    assert ANALYZE is not None
    source = UNITS / unit
    if "@" in unit:  # made of the other one where it is installed
        source = tmp_path / "shipped" / unit
        source.parent.mkdir()
        source.write_text(unit_texts(user=False)[unit])
    copy = installed(source, tmp_path)
    if drop_in is not None:
        more = AS_A_USER if drop_in is AS_A_USER else (UNITS / "drop-ins" / drop_in).read_text()
        copy.write_text(f"{copy.read_text()}\n{more}")
    judged = subprocess.run(
        [ANALYZE, "security", "--offline=yes", f"--threshold={rating * 10:.0f}", copy],
        text=True,
        capture_output=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("unit", ["codelocd.service", "user/codelocd.service"])
def test_a_service_is_ready_when_it_says_so_watched_and_restarted(unit: str) -> None:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.read(UNITS / unit)
    service = parsed["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    assert int(service["WatchdogSec"]) > 0


def test_the_socket_unit_listens_where_the_contract_says() -> None:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.read(UNITS / "codelocd.socket")
    assert parsed["Socket"]["ListenStream"] == "/run/codelocd/control.sock"
