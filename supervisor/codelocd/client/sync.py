"""The client that waits for each answer."""

from __future__ import annotations

import os
from collections import deque

from codelocd.client.connection import Deadline, RpcConnection, silent
from codelocd.rpc.errors import received
from codelocd.rpc.messages import EVENT, NOTIFICATION, RESPONSE, parameters, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from codelocd.documents.events import TopicEvent
    from codelocd.rpc.messages import Message

TIMEOUT = 10.0
"""Seconds after which a daemon that says nothing counts as not answering."""


def subscribing(
    topics: Sequence[str],
    since: Mapping[str, Any] | None,
    *,
    blocks: bool,
    locations: Sequence[str] | None,
) -> dict[str, Any]:
    """The parameters of `subscribe`."""
    params: dict[str, Any] = {"topics": list(topics)}
    if since is not None:
        params["since"] = dict(since)
    if blocks:
        params["blocks"] = True
    if locations is not None:
        params["locations"] = list(locations)
    return params


def running(
    location: str, names: Sequence[str], *, wait: bool, wished: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters of `run`."""
    return {"location": location, "names": list(names), "wait": wait, **wished}


class Client:
    """A connection to the daemon whose control socket is at `path`; for one thread.

    Everything raises DaemonUnreachable where no answer comes, and RpcError where the answer is
    an error.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = TIMEOUT, foreign: bool = False
    ) -> None:
        """`timeout`: seconds for the connection to be made. `foreign`: whether a process of
        another user, who is not root, may answer; without it such a one is asked nothing.
        """
        self._path = os.fspath(path)
        self._connection = RpcConnection(self._path, Deadline(timeout), foreign=foreign)
        self._last_id = 0
        self._events: dict[int, deque[TopicEvent]] = {}

    @property
    def uid(self) -> int | None:
        """The user whose process listens on the socket; None where the system does not tell."""
        return self._connection.uid

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = TIMEOUT,
    ) -> Any:
        """The result of a method; `timeout` in seconds, None for as long as it takes."""
        self._last_id += 1
        deadline = Deadline(timeout)
        try:
            self._connection.send(request(self._last_id, method, params), deadline)
            _, _, error, result = self._answer(self._last_id, deadline)
        except TimeoutError:
            raise silent(self._path, timeout or 0) from None
        if error is not None:
            raise received(error)
        return result

    def subscribe(
        self,
        topics: Sequence[str],
        since: Mapping[str, Any] | None = None,
        *,
        blocks: bool = False,
        locations: Sequence[str] | None = None,
    ) -> Iterator[TopicEvent]:
        """Events `{"subscription", "topic", "seq", "data"}` of these topics, for ever.

        `since` `{"instance", "seq"}` goes on where an earlier subscription ended. `blocks`: lines
        of output that came together are one event. `locations`: only what concerns these, or the
        daemon itself.
        """
        params = subscribing(topics, since, blocks=blocks, locations=locations)
        answer = self.call("subscribe", params)
        self._events[answer["subscription"]] = deque()
        return self._events_of(answer["subscription"])

    def run(self, location: str, *names: str, wait: bool = False, **wished: Any) -> dict[str, Any]:
        """The document of a run of a job, or of assets, of a location; with `wait` once it has
        ended.

        `wished`: what else docs/protocol.md has for the method `run`, such as `params` and `key`.
        """
        parameters = running(location, names, wait=wait, wished=wished)
        answer = self.call("run", parameters, timeout=None if wait else TIMEOUT)
        document: dict[str, Any] = answer["run"]
        return document

    def runs(self, **narrowed: Any) -> list[dict[str, Any]]:
        """Documents of runs, the newest first; `narrowed` by `locations`, `states`, `limit` and
        `before`."""
        found: list[dict[str, Any]] = self.call("runs", narrowed)["runs"]
        return found

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _answer(self, msgid: int, deadline: Deadline) -> Message:
        while True:
            message = self._connection.receive(deadline)
            if message[0] == RESPONSE and message[1] == msgid:
                return message
            self._keep(message)

    def _events_of(self, subscription: int) -> Iterator[TopicEvent]:
        events = self._events[subscription]
        try:
            while True:
                while events:
                    yield events.popleft()
                self._keep(self._connection.receive(Deadline(None)))
        finally:
            del self._events[subscription]

    def _keep(self, message: Message) -> None:
        """An event, for the code that iterates over its subscription, if any does."""
        if message[0] == NOTIFICATION and message[1] == EVENT:
            event: Any = parameters(message[2])
            if event["subscription"] in self._events:
                self._events[event["subscription"]].append(event)
