"""What the methods of the control socket about runs do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from codelocd.daemon import history
from codelocd.daemon import params as take
from codelocd.daemon.actions import Method
from codelocd.daemon.params import Params
from codelocd.daemon.runs.parts import present
from codelocd.daemon.runs.schedules import ScheduleAnswers
from codelocd.daemon.runs.wishes import asked_by, launched_wish, wish_of
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.runs.encoding import run_document
from codelocd.runs.model import RunId, RunRecord, RunState

if TYPE_CHECKING:
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.runs.opened import OpenRuns
    from codelocd.daemon.runs.opening import Runs
    from codelocd.daemon.runs.served import LocationCode

SHOWN, MOST = 50, 1000
"""Runs that are listed unless another number is asked for, and at most."""


class RunAnswers:
    """Each answers with documents of `codelocd.documents.runs`, those of schedules with
    documents of `codelocd.documents.schedules`. `by_name`: all of them."""

    def __init__(self, runs: Runs, locations: Locations) -> None:
        self._runs = runs
        self._locations = locations
        self.by_name: dict[str, Method] = {
            "run": self._run,
            "runs": self._listed,
            "run_show": self._shown,
            "run_cancel": self._cancel,
            "run_retry": self._retry,
            "run_logs": self._lines,
            **ScheduleAnswers(runs.starters, locations).by_name,
        }

    # --- orders --------------------------------------------------------------------------------

    async def _run(self, peer: Peer, params: Params) -> Any:
        location = self._locations.supervised(take.text(params, "location"))
        timeout, waits = _timeout(params), take.flag(params, "wait", default=False)
        is_launched = params.get("dagster_run") is not None
        if is_launched:
            refuse_others(peer)
        opened = await self._runs.open()
        served = await self._served(opened, location.name)
        if is_launched:
            wish = launched_wish(params, location.name, served)
        else:
            wish = wish_of(params, location.name, served, await user_of(peer))
        with book_problems():
            run, is_new = await opened.submit(wish, timeout=timeout)
            if waits:
                run = await opened.keeper.ended(run.id)
        return _answer(run, is_new=is_new)

    async def _served(self, opened: OpenRuns, name: str) -> LocationCode:
        base = opened.base
        if (unfit := base.attempts.runnable(name)) is not None:
            raise RpcError("usage", unfit)
        await base.codes.ready(name)
        served = base.codes.of(name)
        if served is None:
            raise RpcError("down", base.codes.why_none(name))
        return served

    async def _cancel(self, _peer: Peer, params: Params) -> Any:
        number, kill = await self._named(params), take.flag(params, "kill", default=False)
        opened = await self._known(number)
        with book_problems():
            run = await opened.keeper.cancel(number, kill=kill)
        return {"run": run_document(_found(run, number), present())}

    async def _retry(self, peer: Peer, params: Params) -> Any:
        number = _number(params)
        opened = await self._known(number)
        by = asked_by(params, await user_of(peer))
        with book_problems():
            origin = _found(await opened.keeper.run(number), number)
            if not origin.state.is_final:
                what = f"run {number} has not ended; `codelocd runs cancel {number}` ends it"
                raise RpcError("usage", what)
            if origin.wish.dagster_run is not None:
                what = f"Dagster has launched run {number}; re-execute it on Dagster's page"
                raise RpcError("usage", what)
            self._locations.supervised(origin.wish.location)
            await self._served(opened, origin.wish.location)
            run = await opened.retry(origin, by)
        return _answer(run, is_new=True)

    # --- questions -----------------------------------------------------------------------------

    async def _listed(self, _peer: Peer, params: Params) -> Any:
        names, states = take.texts(params, "locations"), _states(params)
        limit = take.number(params, "limit", SHOWN)
        if not 0 < limit <= MOST:
            raise RpcError("usage", f"limit must be 1 to {MOST}")
        before = None if params.get("before") is None else RunId(take.number(params, "before"))
        opened = await self._runs.if_any()
        if opened is None:
            return {"runs": [], "more": False}
        with book_problems():
            query = opened.book.listed(
                locations=names, states=states, before=before, limit=limit + 1
            )
            found = await asyncio.wrap_future(query)
        now = opened.keeper.unfinished()
        shown = [now.get(run.id, run) for run in found[:limit]]
        return {"runs": [run_document(run, present()) for run in shown], "more": len(found) > limit}

    async def _shown(self, _peer: Peer, params: Params) -> Any:
        number, with_code = await self._named(params), take.flag(params, "code", default=False)
        opened, run = await self._one(number)
        found: dict[str, Any] = {"run": run_document(run, present())}
        if run.state is RunState.QUEUED:
            found["run"]["waits_for"] = opened.keeper.waits_for(run)
        if with_code:
            found["code"] = await asyncio.to_thread(opened.base.codes.texts, run.manifest)
        return found

    async def _lines(self, _peer: Peer, params: Params) -> Any:
        number = _number(params)
        opened, run = await self._one(number)
        key, asked = str(number), {name: each for name, each in params.items() if name != "id"}
        for name in ("after", "before"):
            if params.get(name) is not None:
                asked[name] = {key: take.number(params, name)}
        found = await history.logs(opened.base.outputs.logs, [key], asked)
        if run.state.is_final:
            opened.base.outputs.ended(number)
        about = {"location": run.wish.location, "run": number}
        lines = [{**line, **about, "attempt": line["generation"]} for line in found["lines"]]
        return {"lines": lines, "last": found["last"][key], "more": found["more"]}

    async def _one(self, number: RunId) -> tuple[OpenRuns, RunRecord]:
        opened = await self._known(number)
        with book_problems():
            return opened, _found(await opened.keeper.run(number), number)

    async def _named(self, params: Params) -> RunId:
        """By its number, or by the id that Dagster has for it, while it has not ended."""
        named = take.optional_text(params, "dagster_run")
        if named is None:
            return _number(params)
        opened = await self._runs.if_any()
        for run in () if opened is None else opened.keeper.unfinished().values():
            if named in (run.dagster_run, run.wish.dagster_run):
                return run.id
        raise RpcError("unknown", f"no run that has not ended is Dagster's {named}")

    async def _known(self, number: RunId) -> OpenRuns:
        opened = await self._runs.if_any()
        if opened is None:
            raise no_run(number)
        return opened


def no_run(number: int) -> RpcError:
    what = f"there is no run {number}; `codelocd runs` lists those that are kept"
    return RpcError("unknown", what)


def refuse_others(peer: Peer) -> None:
    """A run of Dagster's is that of its page, which is the daemon's own user's."""
    if peer.credentials is None or peer.credentials.uid not in (0, os.geteuid()):
        raise RpcError("usage", "only the daemon's own user and root may name a dagster_run")


async def user_of(peer: Peer) -> str | None:
    """The name of the user at the other end; a number where it has none."""
    if peer.credentials is None:
        return None
    uid = peer.credentials.uid
    if uid not in USERS:
        try:
            USERS[uid] = (await asyncio.to_thread(pwd.getpwuid, uid)).pw_name
        except KeyError:
            return str(uid)
    return USERS[uid]


USERS: dict[int, str] = {}
"""Names by number, as they were found: who asks for a run asks for many."""


def _answer(run: RunRecord, *, is_new: bool) -> Any:
    return {"id": run.id, "uuid": run.uuid, "new": is_new, "run": run_document(run, present())}


def _found(run: RunRecord | None, number: int) -> RunRecord:
    if run is None:
        raise no_run(number)
    return run


def _number(params: Params) -> RunId:
    if params.get("id") is None:
        raise RpcError("usage", "id is missing")
    return RunId(take.number(params, "id"))


def _timeout(params: Params) -> float | None:
    value = params.get("timeout")
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value < LONGEST:
        raise RpcError("usage", "timeout must be a number of seconds above 0")
    return float(value)


LONGEST = 1e9
"""Seconds; thirty years."""


def _states(params: Params) -> list[RunState]:
    known = [each.value for each in RunState]
    given = take.texts(params, "states") or []
    for each in given:
        take.choice({"state": each}, "state", known)
    return [RunState(each) for each in given]


@contextlib.contextmanager
def book_problems() -> Iterator[None]:
    """What the book raises, as an error of the wire."""
    from codelocd.runs.book import BookProblem

    try:
        yield
    except BookProblem as problem:
        raise RpcError("down", str(problem)) from None
