"""The runner's threads: one that accepts, one for each connection."""

from __future__ import annotations

from _thread import start_new_thread
from time import sleep

from .listener import Listener
from .messages import CallError, Malformed, Requests, failure, result
from .owned import Lost, OwnedSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Set

    from .messages import Request
    from .methods import Methods

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

    def __init__(self, socket: OwnedSocket, methods: Methods) -> None:
        self._socket = socket
        self._methods = methods
        self._waiting: Set[Request] = set()

    def run(self) -> None:
        requests = Requests()
        try:
            while True:
                data = self._socket.receive()
                if not data:
                    return
                for request in requests.feed(data):
                    self._take(request)
        except (Lost, Malformed, OSError, RuntimeError):
            return  # RuntimeError: user code has used up every thread
        finally:
            self.end()

    def end(self) -> None:
        self._socket.close()

    def _take(self, request: Request) -> None:
        if not self._methods.would_wait(request.method):
            self._finish(request)
            return
        if len(self._waiting) >= IN_FLIGHT:
            raise Malformed("too many calls in flight")
        self._waiting.add(request)
        start_new_thread(self._finish_later, (request,))

    def _finish(self, request: Request) -> None:
        try:
            self._socket.send(self._answer(request))
        finally:
            self._methods.answered(request.method)

    def _finish_later(self, request: Request) -> None:
        try:
            self._finish(request)
        except (Lost, OSError):
            self.end()
        finally:
            self._waiting.discard(request)

    def _answer(self, request: Request) -> bytes:
        try:
            return result(request.id, self._methods.call(request.method, request.params))
        except CallError as error:
            return failure(request.id, error)
        except Exception as error:  # noqa: BLE001  one call's failure must not end the others
            return failure(request.id, CallError("internal", f"{type(error).__name__}: {error}"))
