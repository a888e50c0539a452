"""The ten locations that faults are tried on: what they run, and what they say of themselves.

Each runner and each child of one writes down that it is there, so that what lives can be seen from
outside without the daemon: `alive/NAME/PID` has the process's beginning, `children/NAME/PID` also
the runner's pid. A steady location, which is never loaded beside itself, holds a lock as long as
it runs; two that overlap write to `overlaps`. `lines/NAME/PID` has the number of the last line that
a runner printed.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults import run_code

STEADY = ("s0", "s1", "s2", "s3", "s4")
LOADED = ("r0", "r1", "r2", "r3", "r4")
NAMES = (*STEADY, *LOADED)

ASKING = ("r1", "s1")
"""These have a sensor, which asks for runs under `serve`."""

CHILD = {"1": "exec", "2": "session", "3": "thread", "4": "fork"}
"""By the last letter of the name: what else the location starts."""

HELPER = '''
import fcntl, os, subprocess, sys, threading, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def began(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def note(kind, name, pid, text):
    folder = ROOT / kind / name
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{pid}"
    part.write_text(text)
    part.replace(folder / str(pid))


def overlaps(name):
    """A process that is being killed may hold its lock for a moment more."""
    global lock
    lock = open(ROOT / f"{name}.lock", "a")
    end = time.monotonic() + 10
    while True:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > end:
                with open(ROOT / "overlaps", "a") as file:
                    file.write(f"{name} {os.getpid()}\\n")
                return
            time.sleep(0.01)


def is_of_a_run():
    """Whether this process is an attempt's or an evaluation's, and no runner."""
    frame = sys._getframe()
    while frame is not None:
        if "codeloc_runner.run." in frame.f_globals.get("__name__", "") + ".":
            return True
        frame = frame.f_back
    return False


def start(name, child):
    """What a runner does before all else."""
    if is_of_a_run():
        return
    me = os.getpid()
    note("alive", name, me, began(me))
    if name.startswith("s"):
        overlaps(name)
    threading.Thread(target=print_lines, args=(name, me), daemon=True).start()
    if child == "thread":
        threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
    elif child == "exec":
        process = subprocess.Popen(["sleep", "1000000"])
        note("children", name, process.pid, f"{me} {began(process.pid)}")
    elif child == "session":
        script = "import os,sys,time; os.setsid(); os.fork() and os._exit(0); "
        script += "sys.path.insert(0, sys.argv[1]); import faultlib; "
        script += "faultlib.note_child(sys.argv[2], sys.argv[3]); time.sleep(1e6)"
        subprocess.run([sys.executable, "-c", script, str(ROOT), name, str(me)], check=True)
    elif child == "fork":
        middle = os.fork()
        if not middle:
            os.setsid()
            if os.fork():
                os._exit(0)
            note_child(name, me)
            while True:
                time.sleep(1e6)
        os.waitpid(middle, 0)


def note_child(name, runner):
    note("children", name, os.getpid(), f"{runner} {began(os.getpid())}")


def print_lines(name, me):
    folder = ROOT / "lines" / name
    folder.mkdir(parents=True, exist_ok=True)
    count = os.open(folder / str(me), os.O_RDWR | os.O_CREAT, 0o600)
    number = 0
    while True:
        number += 1
        os.write(1, f"line {me} {number}\\n".encode())
        os.pwrite(count, str(number).encode(), 0)
        time.sleep(0.002 if number < 50 else 0.2)
'''


def code(name: str, asset: str) -> str:
    """The definitions of a location: one asset of that name, and what its runs may be of."""
    sensors = "[faultruns.counting]" if name in ASKING else "[]"
    slow = "import time\ntime.sleep(0.2)\n" if name == "r0" else ""
    return (
        f"import faultlib\n{slow}faultlib.start({name!r}, {CHILD.get(name[-1], '')!r})\n"
        "import faultruns\nfrom codeloc import Definitions, asset\n\n"
        f"@asset\ndef {asset}(): ...\n\n"
        f"defs = Definitions(assets=[{asset}], jobs=faultruns.JOBS, sensors={sensors})\n"
    )


def write(project: Path) -> None:
    """The config, and all locations as they begin."""
    project.mkdir(parents=True, exist_ok=True)
    (project / "faultlib.py").write_text(HELPER)
    (project / "faultruns.py").write_text(run_code.HELPER)
    for name in NAMES:
        (project / f"{name}.py").write_text(code(name, "a0"))
    (project / "codelocd.toml").write_text(
        run_code.CONFIG + "[defaults]\n"
        'ping_interval = "500ms"\nping_timeout = "2s"\nstop_timeout = "3s"\n'
        'start_timeout = "60s"\nbackoff = { initial = "20ms", maximum = "500ms" }\n'
        'restart_limit = { count = 10000, period = "1s" }\n'
        + "".join(
            f'[location.{name}]\npython_file = "{name}.py"\n'
            + ('reload = "manual"\n' if name in STEADY else "")
            for name in NAMES
        )
    )
