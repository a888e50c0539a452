"""Sets the daemon's wall clock, and that of no other process, by a file: seconds, as a double."""

import mmap
import os
import struct
import sys

_file = os.environ.get("CODELOCD_FAKE_CLOCK")
if _file and any(word.endswith("/codelocd") for word in sys.orig_argv[:3]):
    import time

    with open(_file, "r+b") as _opened:
        _shared = mmap.mmap(_opened.fileno(), 8)
    _true = time.time
    time.time = lambda: _true() + struct.unpack("d", _shared[:8])[0]
