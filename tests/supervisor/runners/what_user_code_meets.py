"""Code of a location: everything around it that a start could make different, in `told`."""

import atexit
import gc
import locale
import logging
import multiprocessing
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings

MARK = "CODELOCD_CHILD"
"""Another value for each process."""

context = ssl.create_default_context()
process = multiprocessing.current_process()
main = threading.main_thread()


def open_files():
    """All but the runner's own conversation with the daemon, whose sockets have names."""
    for name in os.listdir("/proc/self/fd"):
        try:
            file = os.readlink(f"/proc/self/fd/{name}")
            if file.startswith("socket:"):
                with socket.socket(fileno=os.dup(int(name))) as one:
                    file = "" if one.getsockname() else "socket"
            if file and not file.startswith("/proc"):
                yield file.partition(":")[0]
        except OSError:
            continue


told = {
    "path": sys.path,
    "argv": sys.argv,
    "orig_argv": getattr(sys, "orig_argv", [])[:-1],
    "main": sorted(vars(sys.modules["__main__"])),
    "flags": str(sys.flags),
    "warning filters": [[*map(str, f)] for f in warnings.filters],
    "warn options": sys.warnoptions,
    "logging handlers": [repr(h) for h in logging.getLogger().handlers],
    "logging level": logging.getLogger().level,
    "loggers": sorted(logging.Logger.manager.loggerDict),
    "signals": {n: str(signal.getsignal(n)) for n in range(1, 65)},
    "signal mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "directory": os.getcwd(),
    "umask": os.umask(os.umask(0o77)) and None,
    "variables": {name: value for name, value in os.environ.items() if name != MARK},
    "process environment": sorted(
        line
        for line in subprocess.check_output(["env"], text=True).splitlines()
        if not line.startswith(MARK)
    ),
    "open files": sorted(open_files()),
    "leads a session": os.getsid(0) == os.getpid(),
    "leads a group": os.getpgid(0) == os.getpid(),
    "main thread": [
        threading.current_thread() is main,
        threading.active_count(),
        main.native_id == threading.get_native_id(),
    ],
    "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
    "limits": [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
    "time zone": [time.tzname, time.timezone, time.localtime(0)[:6]],
    "locale": [
        locale.setlocale(locale.LC_ALL),
        locale.getpreferredencoding(),
        sys.getfilesystemencoding(),
    ],
    "start methods": [
        multiprocessing.get_start_method(allow_none=True),
        multiprocessing.get_all_start_methods(),
    ],
    "process": [
        multiprocessing.current_process().name,
        multiprocessing.current_process().pid == os.getpid(),
    ],
    "streams": [[s.encoding, s.errors, s.line_buffering] for s in (sys.stdout, sys.stderr)],
    "stdin": os.readlink("/proc/self/fd/0"),
    "switch interval": sys.getswitchinterval(),
    "recursion limit": sys.getrecursionlimit(),
    "executable": [sys.executable, sys.prefix, sys.base_prefix],
    "hooks": [
        sys.excepthook is sys.__excepthook__,
        sys.displayhook is sys.__displayhook__,
        len(sys.meta_path),
    ],
    "functions at exit": atexit._ncallbacks(),
    "temporary": tempfile.gettempdir(),
    "ssl": [context.verify_mode, len(context.get_ciphers()) > 0],
    "niceness": os.nice(0),
    "traced": [sys.gettrace(), sys.getprofile()],
    "bytecode": [sys.dont_write_bytecode, sys.pycache_prefix],
}
