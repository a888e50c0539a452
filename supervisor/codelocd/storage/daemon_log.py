"""What the daemon's log is written with: structlog, kept from importing rich.

The terminal view needs rich, so it always is; it would cost every daemon 4 MB and 30 ms.
"""

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_is_new = "rich" not in _modules
if _is_new:
    _modules["rich"] = None  # its import now fails, which structlog takes for "not installed"
try:
    import structlog
finally:
    if _is_new:
        del _modules["rich"]

__all__ = ["structlog"]
