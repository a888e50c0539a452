"""The runner's socket, which user code may close, and a thread for each connection."""

from __future__ import annotations

import _socket
import os
from _socket import AF_UNIX, SOCK_STREAM, socket
from _thread import allocate_lock, start_new_thread
from select import POLLIN, POLLOUT, poll
from time import sleep

from .messages import BadMessage, CallError, CallReader, failure, result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Set, Tuple

    from .messages import Call
    from .methods import Methods


RECEIVE_BYTES = 65536
CHECK_MILLISECONDS = 250

# Linux and the BSDs differ in how a send to a closed peer is kept from raising SIGPIPE, whose
# handling belongs to user code: a flag of the call there, an option of the socket here.
SEND_FLAGS = int(getattr(_socket, "MSG_NOSIGNAL", 0))
NO_SIGNAL_OPTION = getattr(_socket, "SO_NOSIGPIPE", None)


class SocketLost(Exception):
    """User code closed the descriptor; its number may be one of its own files by now."""


class CheckInterval:
    """How often a waiting thread looks whether its descriptor is still its own.

    Often while user code is imported, never afterwards: an idle runner must not wake up.
    """

    __slots__ = ("milliseconds",)

    def __init__(self) -> None:
        self.milliseconds: Optional[int] = CHECK_MILLISECONDS

    def relax(self) -> None:
        self.milliseconds = None


class CheckedSocket:
    """A non-blocking stream socket that user code may close behind the runner's back.

    Every use checks that the descriptor still has the identity it had when it was made.
    """

    __slots__ = ("_fd", "_identity", "_interval", "_sending", "_socket")

    def __init__(self, raw: socket, interval: CheckInterval) -> None:
        raw.setblocking(False)
        if NO_SIGNAL_OPTION is not None:
            raw.setsockopt(_socket.SOL_SOCKET, NO_SIGNAL_OPTION, 1)
        os.set_inheritable(raw.fileno(), False)
        self._socket = raw
        self._fd = raw.fileno()
        self._identity = identity(self._fd)
        self._interval = interval
        self._sending = allocate_lock()
        _open.add(self)

    def accept(self) -> CheckedSocket:
        """The next connection. Raises Lost, or OSError where the system is out of something."""
        while True:
            self._wait(POLLIN)
            try:
                fd, _ = self._socket._accept()  # type: ignore[attr-defined]  # what socket.py uses
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                continue
            return CheckedSocket(socket(fileno=fd), self._interval)

    def receive(self) -> bytes:
        """What has arrived, b"" at the end. Raises Lost or OSError."""
        while True:
            self._wait(POLLIN)
            try:
                return self._socket.recv(RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                continue

    def send(self, data: bytes) -> None:
        """All of it, never mixed with another thread's. Raises Lost or OSError."""
        rest = memoryview(data)
        with self._sending:
            while rest:
                self._wait(POLLOUT)
                try:
                    rest = rest[self._socket.send(rest, SEND_FLAGS) :]
                except (BlockingIOError, InterruptedError):
                    continue

    def close(self) -> None:
        """Close it, unless its number belongs to another file by now."""
        _open.discard(self)
        if self._is_ours():
            self._socket.close()
        else:
            self._socket.detach()

    def _wait(self, event: int) -> None:
        while True:
            self._check()
            waiting = poll()
            waiting.register(self._fd, event)
            if waiting.poll(self._interval.milliseconds):
                self._check()
                return

    def _check(self) -> None:
        if not self._is_ours():
            raise SocketLost

    def _is_ours(self) -> bool:
        try:
            return identity(self._fd) == self._identity
        except OSError:
            return False


_open: Set[CheckedSocket] = set()


def identity(fd: int) -> Tuple[int, int]:
    """Device and inode, which no other open file of this machine shares."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def close_in_forks() -> None:
    """A child that user code forks must neither answer nor keep a connection open."""
    os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    for one in list(_open):
        one.close()


BACKLOG = 64
SHORTAGE_PAUSE_SECONDS = 0.1


class Listener:
    """The socket inherited from the daemon, bound again where user code closed it.

    Accepts for as long as the process lives.
    """

    __slots__ = ("_interval", "_path", "_socket")

    def __init__(self, fd: int, path: str, interval: CheckInterval) -> None:
        self._path = path
        self._interval = interval
        self._socket = CheckedSocket(socket(fileno=fd), interval)

    def accept(self) -> CheckedSocket:
        while True:
            try:
                return self._socket.accept()
            except SocketLost:
                self._bind_again()
            except OSError:
                sleep(SHORTAGE_PAUSE_SECONDS)  # user code may have used up every descriptor

    def _bind_again(self) -> None:
        self._socket.close()
        try:
            self._socket = CheckedSocket(listen_anew(self._path), self._interval)
        except OSError:
            sleep(SHORTAGE_PAUSE_SECONDS)


def listen_anew(path: str) -> socket:
    """A listening socket of mode 0600 that takes the place of what is at `path`."""
    raw = socket(AF_UNIX, SOCK_STREAM)
    folder, name = os.path.split(path)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Through the descriptor: a Unix socket address holds 107 bytes, a path may be longer.
        through = f"/proc/self/fd/{directory}" if os.path.isdir("/proc/self/fd") else folder
        address = os.path.join(through, f".{os.getpid()}-{name}")
        raw.bind(address)
        os.chmod(address, 0o600)
        raw.listen(BACKLOG)
        os.rename(address, path)
    except OSError:
        raw.close()
        raise
    finally:
        os.close(directory)
    return raw


IN_FLIGHT = 64
PAUSE_SECONDS = 0.1


def serve(listener: Listener, methods: Methods) -> None:
    """Answer every connection until the process ends. Returns at once."""
    start_new_thread(_accept, (listener, methods))


def _accept(listener: Listener, methods: Methods) -> None:
    while True:
        try:
            _start(Conversation(listener.accept(), methods))
        except:  # noqa: E722  user code has deleted built-in functions: it may be `Exception`
            sleep(PAUSE_SECONDS)  # until the load is over, and they are put back


def _start(conversation: Conversation) -> None:
    try:
        start_new_thread(conversation.run, ())
    except RuntimeError:  # user code has used up every thread: the caller may try again
        conversation.end()


class Conversation:
    """One connection. A call that has to wait never holds up the ones behind it."""

    __slots__ = ("_methods", "_socket", "_waiting")

    def __init__(self, socket: CheckedSocket, methods: Methods) -> None:
        self._socket = socket
        self._methods = methods
        self._waiting: Set[Call] = set()

    def run(self) -> None:
        requests = CallReader()
        try:
            while True:
                data = self._socket.receive()
                if not data:
                    return
                for request in requests.feed(data):
                    self._take(request)
        except (SocketLost, BadMessage, OSError, RuntimeError):
            return  # RuntimeError: user code has used up every thread
        finally:
            self.end()

    def end(self) -> None:
        self._socket.close()

    def _take(self, request: Call) -> None:
        if not self._methods.would_wait(request.method):
            self._finish(request)
            return
        if len(self._waiting) >= IN_FLIGHT:
            raise BadMessage("too many calls in flight")
        self._waiting.add(request)
        start_new_thread(self._finish_later, (request,))

    def _finish(self, request: Call) -> None:
        try:
            self._socket.send(self._answer(request))
        finally:
            self._methods.answered(request.method)

    def _finish_later(self, request: Call) -> None:
        try:
            self._finish(request)
        except (SocketLost, OSError):
            self.end()
        finally:
            self._waiting.discard(request)

    def _answer(self, request: Call) -> bytes:
        try:
            return result(request.id, self._methods.call(request.method, request.params))
        except CallError as error:
            return failure(request.id, error)
        except Exception as error:  # noqa: BLE001  one call's failure must not end the others
            return failure(request.id, CallError("internal", f"{type(error).__name__}: {error}"))
