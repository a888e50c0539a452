"""Prunes a store in a process of its own, at low priority: `python -m codeloc_envs.pruner STORE`.

Writes `{"keys": […], "freed": bytes}` on stdout.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from codeloc_envs.store import Store

_NICENESS = 19
"""The lowest priority there is."""


def main() -> None:
    os.nice(_NICENESS)
    print(json.dumps(asdict(Store(Path(sys.argv[1])).prune())))


if __name__ == "__main__":
    main()
