"""Finds and connects to the daemon that a command means."""

from __future__ import annotations

import os

from codelocd import __version__
from codelocd.cli.exit_codes import (
    KINDS,
    ExitCode,
    Failure,
    NoDaemon,
    NothingServes,
    SilentDaemon,
)
from codelocd.cli.which import Asked, DaemonAddress, is_to_come, which
from codelocd.client import Client, DaemonUnreachable, RpcError
from codelocd.rpc import starting
from codelocd.storage import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeVar

    from codelocd.documents.events import TopicEvent
    from codelocd.documents.locations import StatusDocument

    Answer = TypeVar("Answer")

ANSWER_TIMEOUT = 10.0
"""Seconds after which a daemon that says nothing counts as not answering."""

PROMPT_TIMEOUT = 1.5
"""Seconds for the daemon to answer where something is known without it: that comes within two."""

FIRST_TIMEOUT = 0.4
"""Seconds until a command that only reads looks whether the daemon's process is stopped."""

MOMENT, LONGEST_START = 1.0, 30.0
"""Seconds for which a daemon that is starting, or takes up other code, is waited for: without a
word, and at most."""

GRACE = 10.0
"""Seconds beyond the time limit of a request in which the daemon still answers."""

FREE = ("hello", "call", "unsubscribe")
"""Methods whose results are taken as they come, whatever the daemon's version."""


class Connection:
    """A daemon that answers. Its errors become Failures that name it. `instance`: which start of it
    this is, "" where it was not greeted."""

    def __init__(self, daemon: DaemonAddress, patience: float = ANSWER_TIMEOUT) -> None:
        """`patience`: seconds for the daemon to take it."""
        self.daemon = daemon
        self._client = self._ask(
            lambda: Client(daemon.socket, timeout=patience, foreign=daemon.foreign)
        )
        self._version: str | None = None
        self.instance = ""

    @property
    def foreign_uid(self) -> int | None:
        """The user whose daemon it is, where that is neither the caller nor root."""
        return None if self._client.uid in (os.geteuid(), 0) else self._client.uid

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = ANSWER_TIMEOUT,
    ) -> Any:
        """The daemon's answer, as this version declares it; `timeout` in seconds, None for as long
        as it takes."""
        answer = self._ask(lambda: self._client.call(method, params, timeout=timeout))
        if method == "status":
            return whole_status(answer)
        if method in FREE or self.is_of_this_version():
            return answer
        from codelocd.core import whole  # seldom: what is declared takes long to import

        return whole.answer(method, answer)

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        blocks: bool = False,
        locations: Sequence[str] | None = None,
    ) -> Iterator[TopicEvent]:
        """Events as they come, for ever; from this call on, not one is missed. `locations`: only
        what concerns these."""
        events = self._ask(
            lambda: self._client.subscribe(topics, blocks=blocks, locations=locations)
        )
        if not self.is_of_this_version():
            from codelocd.core import whole  # seldom: what is declared takes long to import

            events = map(whole.event, events)
        return iter(lambda: self._ask(lambda: next(events)), {})

    def is_of_this_version(self) -> bool:
        """Whether the daemon is, as it says itself."""
        if self._version is None:
            try:
                self.greet(ANSWER_TIMEOUT)
            except Failure:
                self._version = ""  # it did answer the question before
        return self._version == __version__

    def greet(self, patience: float) -> None:
        """Raises SilentDaemon where the daemon does not say within `patience` what it is."""
        said = self._ask(lambda: self._client.call("hello", timeout=patience))
        facts = said if isinstance(said, dict) else {}
        self._version, self.instance = str(facts.get("version", "")), str(facts.get("instance", ""))

    def until_gone(self, method: str) -> None:
        """Call a method that ends the daemon; returns when it has hung up."""
        self._ask(lambda: self._listen_to_the_end(method))

    def _listen_to_the_end(self, method: str) -> None:
        try:
            events = self._client.subscribe(["status"])
            by = {"by": "cli"} if method == "shutdown" and self.is_of_this_version() else {}
            self._client.call(method, by, timeout=None)
            for _ in events:
                pass
        except DaemonUnreachable as error:
            if error.reason != "lost":
                raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except RpcError as error:
            raise refused(error) from None
        except DaemonUnreachable as error:
            raise self.daemon.unreachable(str(error), error.reason) from None


def whole_status(answer: StatusDocument) -> StatusDocument:
    """What `status` answers, as this version declares it; the answer itself tells its version."""
    try:
        if answer["daemon"]["version"] == __version__:
            return answer
    except (KeyError, TypeError):
        pass
    from codelocd.core import whole  # seldom: what is declared takes long to import

    return whole.status(answer)


def refused(error: RpcError) -> Failure:
    """The Failure for what a daemon refuses to answer."""
    data = error.data if isinstance(error.data, dict) else {}
    matches = data.get("matches")
    choices = (f"--kind {m['kind']} --repository {m['repository']}" for m in matches or ())
    message = f"{error.message}: {' or '.join(choices)}" if matches else error.message
    first, *more = data.get("problems") or [message]
    kind = NothingServes if error.kind == "down" else Failure
    return kind(first, KINDS.get(error.kind, ExitCode.FAILED), also=more)


def meant(asked: Asked) -> DaemonAddress:
    """The daemon meant here and now."""
    uid = os.getuid()
    daemon = which(asked, environ=os.environ, folder=_here(), uid=uid, exists=is_to_come)
    _distrust(daemon.socket, sockets.fallback_folder(os.environ, uid), uid)
    return daemon


def reached(asked: Asked, question: Callable[[DaemonAddress], Answer]) -> Answer:
    """What comes of asking the daemon meant. One that is starting is waited for; where that takes
    longer than a moment, stderr says so.

    Raises what `question` does, and SilentDaemon where it does not listen within LONGEST_START.
    """
    daemon = meant(asked)
    try:
        return question(daemon)
    except NoDaemon:
        came = starting.outcome(daemon.socket, MOMENT)
        if came == "none":
            raise
    if came == "goes on":
        from codelocd.cli import output  # seldom

        rest = LONGEST_START - MOMENT
        output.note(f"waiting up to {rest:g} s for {daemon.name}, which is starting")
        if starting.outcome(daemon.socket, rest) == "goes on":
            what = f"{daemon.name} is starting and does not listen yet; try again, or see its log"
            raise SilentDaemon(what, daemon.name, daemon.project)
    return question(meant(asked))


def connect_patiently(asked: Asked) -> Connection:
    """A connection to the daemon meant, for an order. Where it does not answer at once, that it is
    waited for is said on stderr.

    Raises SilentDaemon where it says nothing within ANSWER_TIMEOUT, or LONGEST_START while a
    service manager starts it.
    """
    return reached(asked, _patiently)


def _patiently(daemon: DaemonAddress) -> Connection:
    try:
        return _greeted(daemon, PROMPT_TIMEOUT)
    except SilentDaemon:
        from codelocd.cli import output, unanswered  # seldom

        longest = LONGEST_START if unanswered.is_coming(daemon) else ANSWER_TIMEOUT
        rest = longest - PROMPT_TIMEOUT
        output.note(unanswered.waited_for(daemon, rest))
    return _greeted(daemon, rest)


def connect_promptly(
    asked: Asked, before: Callable[[Connection], None] | None = None
) -> Connection:
    """A connection to the daemon meant, for what only reads. `before` is called before anything is
    sent, and may refuse.

    Raises NoDaemon, and SilentDaemon where the daemon says nothing within about PROMPT_TIMEOUT, or
    is stopped.
    """
    return reached(asked, lambda daemon: _promptly(daemon, before))


def _promptly(daemon: DaemonAddress, before: Callable[[Connection], None] | None) -> Connection:
    try:
        return _greeted(daemon, FIRST_TIMEOUT, before)
    except SilentDaemon:
        from codelocd.cli import unanswered  # seldom: the others need not wait for its imports

        if unanswered.is_coming(daemon):
            return _greeted(daemon, LONGEST_START, before)
        if (stopped := unanswered.is_stopped(daemon)) is not None:
            raise SilentDaemon(stopped, daemon.name, daemon.project) from None
    return _greeted(daemon, PROMPT_TIMEOUT - FIRST_TIMEOUT, before)


def _greeted(
    daemon: DaemonAddress,
    patience: float,
    before: Callable[[Connection], None] | None = None,
) -> Connection:
    """Raises SilentDaemon where it says nothing within `patience`."""
    connection = Connection(daemon, patience)
    try:
        if before is not None:
            before(connection)
        connection.greet(patience)
    except BaseException:
        connection.close()
        raise
    return connection


def ask(
    asked: Asked,
    method: str,
    params: Mapping[str, Any] | None = None,
    timeout: float | None = ANSWER_TIMEOUT,
) -> Any:
    """One question to the daemon meant, which changes nothing."""
    with connect_promptly(asked) as connection:
        return connection.call(method, params, timeout)


def _distrust(socket: str, folder: str, uid: int) -> None:
    """Fail if the folder that stands in for a runtime folder belongs to another user: any user can
    create it, and listen there."""
    if not socket.startswith(f"{folder}/") or not os.path.exists(folder):
        return
    owner = os.lstat(folder).st_uid
    if owner != uid:
        raise Failure(f"{folder} belongs to user {owner}, not to you; set XDG_RUNTIME_DIR")


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise Failure("the working directory no longer exists; change to another") from None
