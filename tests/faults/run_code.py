"""What the ten locations run: jobs that write down what they do, and a sensor that asks for some.

Each line of the file `effects` is one of `begin TOKEN RUN ATTEMPT PID BEGAN`, `child` with the same
words, `end TOKEN RUN ATTEMPT`, and `overlap TOKEN RUN ATTEMPT`. A token is given to one run alone.
"""

from __future__ import annotations

HELPER = '''
import fcntl, os, subprocess, sys, time
from pathlib import Path

from codeloc import Run, job, sensor
from faultlib import began

ROOT = Path(__file__).resolve().parent


def note(kind, token, context, *more):
    line = " ".join(map(str, (kind, token, context.run, context.attempt, *more)))
    file = os.open(ROOT / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, (line + "\\n").encode())
    os.close(file)


def begin(context, token, seconds, child=False):
    note("begin", token, context, os.getpid(), began(os.getpid()))
    if child:
        script = "import os, time; os.fork() and os._exit(0); os.setsid(); print(os.getpid(),"
        script += " flush=True); time.sleep(1e6)"
        command = [sys.executable, "-c", script]
        middle = subprocess.Popen(command, stdout=subprocess.PIPE)
        pid = int(middle.stdout.readline())
        note("child", token, context, pid, began(pid))
        middle.wait()
    print("run", context.run, context.attempt, flush=True)
    time.sleep(seconds)


@job
def plain(context, token: str = "", seconds: float = 0.1, child: bool = False):
    begin(context, token, seconds, child)
    note("end", token, context)


@job(retries=2, retry_delay=0.1)
def retried(context, token: str = "", seconds: float = 0.1, child: bool = False):
    begin(context, token, seconds, child)
    if context.attempt == 1:
        raise RuntimeError("the first never succeeds")
    note("end", token, context)


@job
def alone(context, token: str = "", seconds: float = 0.1):
    """Its runs have the tag `alone`, of which the config allows one at a time."""
    file = open(ROOT / "alone.lock", "a")
    end = time.monotonic() + 1
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:  # one that ends may have its lock for a moment more
            if time.monotonic() > end:
                note("overlap", token, context)
                break
            time.sleep(0.01)
    begin(context, token, seconds)
    note("end", token, context)


@sensor(job=plain, minimum_interval="2s")
def counting(context):
    """A run for each number; the next book begins with another word."""
    word, number = context.cursor or [os.urandom(4).hex(), 0]
    context.cursor = [word, number + 1]
    token = f"sensor-{word}-{number}"
    return Run(key=token, params={"token": token})


JOBS = [plain, retried, alone]
'''
CONFIG = '[runs]\nmax_concurrent = 4\ndrain_timeout = "1s"\ntags = { alone = 1 }\n'
