"""Where the page can listen: which ports are free."""

from __future__ import annotations

import errno
import socket

FIRST = 3000
"""Dagster's own; where it is taken, the next one that is free."""
COUNT = 100


def free_port(host: str) -> int:
    """The first one, if all are taken."""
    ports = range(FIRST, FIRST + COUNT)
    return next((port for port in ports if not is_taken(host, port)), FIRST)


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there. False for a host that is none of this machine's: whoever
    listens there will say so better.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as failure:
        return failure.errno == errno.EADDRINUSE
    return False
