"""`python -m codelocd_ui`: serve the page of one daemon until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import grp
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import uvicorn

from codelocd.rpc import unix
from codelocd_ui import guard, secret
from codelocd_ui.feed import Feed, PageFacts
from codelocd_ui.server import Page
from codelocd_ui.static_files import StaticFiles

FIRST_PORT, PORTS = 4300, 100
BACKLOG = 128
USAGE, FAILED = 2, 1


class CannotServe(Exception):
    """The page cannot be served as asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PageSocket:
    """Where the page listens; `hosts` are the names that it answers to."""

    socket: socket.socket
    hosts: frozenset[str]
    url: str
    cookie: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 asked to end, 1 it cannot listen, 2 wrong usage."""
    asked = parser().parse_args(arguments)
    try:
        folder, daemon = Path(asked.folder), os.path.realpath(asked.daemon)
        session = secret.session(secret.kept(folder / "secret", renew=asked.new_token), daemon)
        address = folder / f"{blake2b(daemon.encode(), digest_size=8).hexdigest()}.address"
        if asked.url:
            return show(address, session)
        listener = listening(asked)
    except (CannotServe, secret.UnsafeSecret, OSError) as error:
        print(f"codelocd ui: {error}", file=sys.stderr)
        return FAILED
    note(address, listener.url or f"listening at {asked.socket}; its link ends in ")
    say(asked, listener, session)
    rules = guard.Guard(
        session,
        listener.hosts,
        listener.cookie,
        read_only=asked.read_only,
        is_behind_login=asked.auth == "proxy",
    )
    files = StaticFiles(logs_in=asked.auth == "token")
    facts = PageFacts(asked.name, asked.editor, asked.read_only, files.version)
    page = Page(Feed(Path(asked.daemon), facts, foreign=asked.foreign), rules, files)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn ends in order, then raises it again
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        asyncio.run(serve(page, listener))
    finally:
        note(address, None)
        if asked.socket:
            Path(asked.socket).unlink(missing_ok=True)
    return 0


def note(address: Path, url: str | None) -> None:
    """Leave word of this page for `--url`, beside that of others of the daemon; None: it ends."""
    own = os.getpid()
    others = [f"{pid} {other}" for pid, other in noted(address) if pid != own]
    pages = others if url is None else [f"{own} {url}", *others]
    beside = address.with_name(f"{address.name}.{own}")
    beside.write_text("\n".join(pages), encoding="utf-8")
    beside.replace(address)


def noted(address: Path) -> list[tuple[int, str]]:
    """The pages of the daemon that run, by pid; the newest is the first."""
    found = []
    with contextlib.suppress(OSError):
        for line in address.read_text(encoding="utf-8").splitlines():
            pid, _, url = line.partition(" ")
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(pid), 0)
                found.append((int(pid), url))
    return found


def show(address: Path, session: secret.Session) -> int:
    """Print the link of the page that runs. Raises CannotServe where none does."""
    pages = noted(address)
    if not pages:
        raise CannotServe("no page of this daemon runs; start one with `codelocd ui`")
    print(f"{pages[0][1]}#{session.token}")
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m codelocd_ui", description=__doc__)
    made.add_argument("--daemon", required=True, help="the daemon's control socket")
    made.add_argument("--folder", required=True, help="where the page keeps its secret")
    made.add_argument("--name", default="codelocd", help="the title of the page")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, help="the first free one from 4300 unless given")
    made.add_argument("--socket", help="a Unix socket for a proxy, instead of host and port")
    made.add_argument("--socket-group", help="whose members may use that socket")
    made.add_argument("--auth", choices=("token", "proxy"), default="token")
    made.add_argument("--foreign", action="store_true", help="the daemon may be another user's")
    made.add_argument("--no-link", action="store_true", help="print the address without its token")
    made.add_argument("--allowed-host", action="append", default=[])
    made.add_argument("--read-only", action="store_true")
    made.add_argument("--editor", default="vscode")
    made.add_argument("--new-token", action="store_true")
    made.add_argument("--open", action="store_true", help="open the link in a browser")
    made.add_argument("--url", action="store_true", help="print the link of the page that runs")
    return made


def listening(asked: argparse.Namespace) -> PageSocket:
    """The socket that the page listens on. Raises CannotServe, and OSError."""
    if asked.socket:
        bound = listen_at(asked.socket, asked.socket_group)
        return PageSocket(bound, frozenset(map(str.lower, asked.allowed_host)), "", "codelocd-unix")
    if asked.auth == "proxy":
        raise CannotServe("auth = proxy needs a socket, which the proxy alone can reach")
    if asked.host not in guard.LOOPBACK | {"::1"} and not asked.allowed_host:
        raise CannotServe(
            f"host {asked.host!r} is not this machine alone; name who may ask with allowed_hosts"
        )
    bound = bind(asked.host, asked.port)
    port = bound.getsockname()[1]
    shown = f"[{asked.host}]" if ":" in asked.host else asked.host
    hosts = guard.hosts(asked.host, port, asked.allowed_host)
    return PageSocket(bound, hosts, f"http://{shown}:{port}/", f"codelocd-{port}")


def listen_at(path: str, group: str | None) -> socket.socket:
    """A Unix socket for this user, or for a group too. Raises CannotServe, OSError."""
    try:
        number = None if group is None else grp.getgrnam(group).gr_gid
        return unix.listen(Path(path), mode=0o600 if group is None else 0o660, group=number)
    except KeyError:
        raise CannotServe(f"there is no group {group!r}; create it, or name another") from None
    except OSError as error:
        raise CannotServe(f"{path}: {error.strerror or error}") from None


def bind(host: str, port: int | None) -> socket.socket:
    """Bound to `port`, or to the first free one. Raises CannotServe where none is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reason: str | None = None
    for each in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]:
        bound = socket.socket(family)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, each))
            bound.listen(BACKLOG)  # so that a browser may connect as soon as the link is printed
        except OSError as error:
            bound.close()
            reason = error.strerror
        else:
            return bound
    what = f"port {port}" if port is not None else f"each port from {FIRST_PORT} on"
    raise CannotServe(f"{what} of {host}: {reason}; choose another with --port")


def say(asked: argparse.Namespace, listener: PageSocket, session: secret.Session) -> None:
    """One line with the link; below ssh a second one with the way to it."""
    token = "" if asked.no_link or asked.auth == "proxy" else f"#{session.token}"
    if not listener.url:
        ends = f"; its link ends in {token}" if token else ""
        return print(f"listening at {asked.socket}{ends}", flush=True)
    print(f"{listener.url}{token}", flush=True)
    if asked.open:
        webbrowser.open(f"{listener.url}#{session.token}")
    if os.environ.get("SSH_CONNECTION"):
        port = listener.socket.getsockname()[1]
        print(
            f"from your machine: ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}", flush=True
        )
    return None


async def serve(page: Page, listener: PageSocket) -> None:
    config = uvicorn.Config(
        page.application(),
        http="h11",
        ws="websockets-sansio",
        loop="asyncio",
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=64 * 1024,
    )
    await uvicorn.Server(config).serve(sockets=[listener.socket])


if __name__ == "__main__":
    sys.exit(main())
