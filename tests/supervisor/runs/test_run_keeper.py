"""The runs of a daemon that have not ended, with attempts that are played."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon.runs import records, unfinished
from codelocd.runs.book import BookProblem, Change
from codelocd.runs.events import StartAttempt, TellDagster
from codelocd.runs.folder import AttemptFiles
from codelocd.runs.model import RunId, RunPolicy, RunRecord, RunState, RunWish
from tests.supervisor.runs.attempts_played import BAD, GOOD, Played, PlayedCode, play, state_in_book

WISH = RunWish("sales", job="nightly")


def full(_runs: object) -> Any:
    raise BookProblem("database or disk is full")


def test_a_run_is_in_the_book_before_its_attempt_starts_and_when_it_has_ended(
    tmp_path: Path,
) -> None:
    async def story(played: Played) -> None:
        run, is_new = await played.keeper.submit(WISH)
        assert is_new
        await played.state(run.id, RunState.RUNNING)
        assert played.hands.in_book_at_start == [RunState.STARTING]
        assert (played.hands.prepared, played.hands.called_off) == ([(run.id, 1)], [])
        played.hands.end(run.id)
        ended = await played.keeper.ended(run.id)
        assert (ended.state, ended.manifest, ended.generation) == (RunState.SUCCEEDED, "m", 3)
        assert played.keeper.unfinished() == {}

    played = play(tmp_path, story)
    states = [state for _, state in played.heard.states]
    assert states[0] == "queued"
    assert states[-1] == "succeeded"


def test_what_was_prepared_for_a_run_that_no_book_has_is_called_off(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        add = played.book.add

        def full_late(wish: RunWish, queued: float, first: Change | None = None) -> Any:
            def then(run: RunRecord) -> RunRecord:
                assert first is not None
                first(run)
                raise sqlite3.OperationalError("database or disk is full")

            return add(wish, queued, then)

        played.book.add = full_late  # type: ignore[method-assign]
        with pytest.raises(BookProblem):
            await played.keeper.submit(WISH)
        assert (played.hands.prepared, played.hands.called_off) == ([(1, 1)], [1])
        played.book.add = add  # type: ignore[method-assign]
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        assert (run.id, played.hands.called_off) == (1, [1])

    play(tmp_path, story)


def test_one_that_is_asked_for_overtakes_none_that_waits_and_may_start(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        played.codes.missing.add("sales")
        first, _ = await played.keeper.submit(WISH)
        played.codes.missing.clear()
        second, _ = await played.keeper.submit(WISH)
        older = await played.state(first.id, RunState.RUNNING)
        newer = await played.state(second.id, RunState.RUNNING)
        assert older.started is not None
        assert newer.started is not None
        assert older.started <= newer.started

    play(tmp_path, story)


def test_the_same_key_is_the_same_run(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        first, _ = await played.keeper.submit(replace(WISH, key="k"))
        await played.state(first.id, RunState.RUNNING)
        again, is_new = await played.keeper.submit(replace(WISH, key="k"))
        assert (again.id, again.state, is_new) == (first.id, RunState.RUNNING, False)

    play(tmp_path, story)


def test_a_client_that_goes_away_while_its_run_is_recorded_calls_it_off_in_no_case(
    tmp_path: Path,
) -> None:
    async def story(played: Played) -> None:
        asking = asyncio.create_task(played.keeper.submit(replace(WISH, key="k")))
        await asyncio.sleep(0)
        asking.cancel()
        await played.until(lambda: played.hands.started)
        _, is_new = await played.keeper.submit(replace(WISH, key="k"))
        assert not is_new

    play(tmp_path, story)


def test_one_that_a_limit_holds_back_holds_back_no_other(tmp_path: Path) -> None:
    tagged = replace(WISH, tags={"db": "main"})

    async def story(played: Played) -> None:
        first, _ = await played.keeper.submit(tagged)
        second, _ = await played.keeper.submit(tagged)
        other, _ = await played.keeper.submit(WISH)
        await played.state(other.id, RunState.RUNNING)
        assert played.keeper.unfinished()[second.id].state is RunState.QUEUED
        played.hands.end(first.id, result=None, signal=9)
        await played.state(second.id, RunState.RUNNING)

    play(tmp_path, story, tags={"db": 1})


def test_a_failed_attempt_is_tried_again_and_told(tmp_path: Path) -> None:
    wish = replace(WISH, policy=RunPolicy(retries=1, retry_delay=0.01))

    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(wish)
        await played.state(run.id, RunState.RUNNING)
        played.hands.end(run.id, BAD)
        await played.until(lambda: len(played.hands.started) == 2)
        await played.state(run.id, RunState.RUNNING)
        played.hands.end(run.id, GOOD)
        assert len((await played.keeper.ended(run.id)).attempts) == 2
        (retry,) = [each for _, each in played.heard.documents if each["event"] == "retry"]
        assert (retry["number"], retry["why"]) == (1, "exception")

    play(tmp_path, story)


def test_cancel_asks_once_and_kill_kills(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        await played.keeper.cancel(run.id)
        await played.keeper.cancel(run.id)
        assert played.hands.signals == [(run.id, "terminate")]
        await played.keeper.cancel(run.id, kill=True)
        assert played.hands.signals[1:] == [(run.id, "kill")]
        played.hands.end(run.id, None, signal=9)
        assert (await played.keeper.ended(run.id)).state is RunState.CANCELLED
        again = await played.keeper.cancel(run.id)
        assert again is not None
        assert again.state is RunState.CANCELLED

    play(tmp_path, story)


def test_what_waits_for_a_location_that_is_gone_is_cancelled_with_a_reason(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        played.codes.missing.add("sales")
        run, _ = await played.keeper.submit(WISH)
        played.keeper.location_gone("sales", "sales was stopped")
        ended = await played.keeper.ended(run.id)
        assert (ended.state, ended.summary) == (RunState.CANCELLED, "sales was stopped")

    play(tmp_path, story)


def test_a_run_waits_for_code_that_is_served(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        played.codes.missing.add("sales")
        run, _ = await played.keeper.submit(WISH)
        other, _ = await played.keeper.submit(replace(WISH, location="x"))
        await played.state(other.id, RunState.RUNNING)
        assert played.keeper.unfinished()[run.id].state is RunState.QUEUED
        played.codes.missing.clear()
        played.keeper.look_again()
        await played.state(run.id, RunState.RUNNING)

    play(tmp_path, story, max_concurrent=2)


def test_a_start_that_fails_three_times_has_failed(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        played.hands.refused = FileNotFoundError(2, "no python")
        run, _ = await played.keeper.submit(WISH)
        ended = await played.keeper.ended(run.id)
        assert (ended.state, ended.why) == (RunState.FAILED, "load")
        assert "no python" in str(ended.summary)

    play(tmp_path, story)


def test_a_drain_waits_then_cancels_and_leaves_the_queue_in_the_book(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        waits, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        draining = asyncio.create_task(played.keeper.drain(0.0))
        await played.until(lambda: played.hands.signals)
        assert not draining.done()
        played.hands.end(run.id, {"state": "cancelled", "steps": []})
        await draining
        ended = await played.keeper.run(run.id)
        assert ended is not None
        assert (ended.state, ended.why) == (RunState.CANCELLED, "shutdown")
        assert played.keeper.unfinished()[waits.id].state is RunState.QUEUED

    play(tmp_path, story, max_concurrent=1)

    async def next_daemon(played: Played) -> None:
        await played.keeper.begin()
        (waits,) = played.keeper.unfinished()
        await played.state(waits, RunState.RUNNING)

    play(tmp_path, next_daemon)


def test_a_run_that_ends_during_a_drain_is_not_cancelled(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        draining = asyncio.create_task(played.keeper.drain(10.0))
        await asyncio.sleep(0)
        played.hands.end(run.id)
        await draining
        assert (await played.keeper.ended(run.id)).state is RunState.SUCCEEDED
        assert played.hands.signals == []

    play(tmp_path, story)


def test_the_next_daemon_adopts_what_lives_counts_results_and_knows_what_is_lost(
    tmp_path: Path,
) -> None:
    async def leave(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        await played.keeper.hand_over()

    for files, state in (
        (AttemptFiles(lives=True, begun=True), RunState.RUNNING),
        (AttemptFiles(begun=True, result=dict(GOOD)), RunState.SUCCEEDED),
        (AttemptFiles(begun=True), RunState.LOST),
    ):
        folder = tmp_path / state.value
        play(folder, leave)

        async def found(
            played: Played, files: AttemptFiles = files, state: RunState = state
        ) -> None:
            played.hands.files = files
            await played.keeper.begin()
            (run,) = [each.id for each in await played.keeper.records.unfinished()]
            await played.state(run, state)
            assert played.hands.adopted == ([run] if files.lives else [])
            assert played.hands.started == []

        play(folder, found)


def test_an_attempt_that_had_not_begun_is_started_again_as_the_same(tmp_path: Path) -> None:
    async def leave(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.STARTING)
        await played.keeper.hand_over()

    async def found(played: Played) -> None:
        await played.keeper.begin()
        (run,) = played.keeper.unfinished()
        await played.state(run, RunState.RUNNING)
        assert played.hands.started == [(run, 1)]

    async def never(run: RunRecord, effect: StartAttempt) -> None:
        """The daemon died before the process was there."""

    async def left(played: Played) -> None:
        played.hands.start = never  # type: ignore[method-assign]
        await leave(played)

    play(tmp_path, left)
    play(tmp_path, found)


def test_an_adopted_attempt_runs_where_its_code_has_begun_unheard(tmp_path: Path) -> None:
    async def never_heard(run: RunRecord, effect: StartAttempt) -> None:
        """The daemon died before it heard that user code runs."""

    async def left(played: Played) -> None:
        played.hands.start = never_heard  # type: ignore[method-assign]
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.STARTING)
        await played.keeper.hand_over()

    async def found(played: Played) -> None:
        played.hands.files = AttemptFiles(lives=True, begun=True)
        await played.keeper.begin()
        (run,) = played.keeper.unfinished()
        await played.state(run, RunState.RUNNING)
        assert played.hands.adopted == [run]

    play(tmp_path, left)
    play(tmp_path, found)


def test_a_retry_delay_outlives_the_daemon(tmp_path: Path) -> None:
    wish = replace(WISH, policy=RunPolicy(retries=1, retry_delay=1000.0))

    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(wish)
        await played.state(run.id, RunState.RUNNING)
        played.hands.end(run.id, BAD)
        await played.state(run.id, RunState.QUEUED)

    play(tmp_path, story)

    async def next_daemon(played: Played) -> None:
        await played.keeper.begin()
        played.keeper.look_again()
        other, _ = await played.keeper.submit(WISH)
        await played.state(other.id, RunState.RUNNING)
        assert [run for run, _ in played.hands.started] == [other.id]

    play(tmp_path, next_daemon)


def test_what_may_start_at_once_is_written_as_started_and_keeps_the_limits(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        keyed = replace(WISH, key="k")
        added = await asyncio.gather(*(played.keeper.submit(keyed) for _ in range(3)))
        assert sorted(is_new for _, is_new in added) == [False, False, True]
        await played.until(lambda: played.hands.started)
        assert played.hands.in_book_at_start == [RunState.STARTING]
        assert played.heard.states[:2] == [(1, "queued"), (1, "starting")]
        await played.state(added[0][0].id, RunState.RUNNING)
        added += await asyncio.gather(*(played.keeper.submit(WISH) for _ in range(3)))
        await played.until(lambda: len(played.hands.started) == 2)
        states = [run.state for run in played.keeper.unfinished().values()]
        assert states.count(RunState.QUEUED) == 2
        played.hands.end(RunId(1))
        await played.until(lambda: len(played.hands.started) == 3)
        assert [number for number, _ in played.hands.started] == [1, 2, 3]

    play(tmp_path, story, max_concurrent=2)


def test_what_is_asked_for_while_the_daemon_ends_is_left_to_the_next(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        asked = asyncio.ensure_future(played.keeper.submit(WISH))
        await asyncio.sleep(0)
        await asyncio.gather(played.keeper.drain(5.0), asked)
        await played.state(asked.result()[0].id, RunState.QUEUED)
        assert played.hands.started == []

    play(tmp_path, story)


def test_a_book_that_is_removed_is_there_again_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LOOK", 0.01)

    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        shutil.rmtree(played.path.parent)
        await played.until(played.path.exists)
        assert state_in_book(played.path, run.id) is RunState.RUNNING

    play(tmp_path, story)


def test_what_cannot_be_written_is_kept_and_nothing_starts_until_it_is(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        save = played.book.save
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        waits, _ = await played.keeper.submit(WISH)

        played.book.save = full  # type: ignore[method-assign,assignment]
        played.hands.end(run.id)
        assert (await played.keeper.ended(run.id)).state is RunState.SUCCEEDED
        assert "full" in str(played.keeper.records.trouble)
        assert [number for number, _ in played.hands.started] == [run.id]
        played.book.save = save  # type: ignore[method-assign]
        await played.state(waits.id, RunState.RUNNING)
        assert played.keeper.records.trouble is None
        found = played.book.run(run.id).result()
        assert found is not None
        assert found.state is RunState.SUCCEEDED

    play(tmp_path, story, max_concurrent=1)


def test_a_start_that_waits_for_the_disk_can_be_cancelled_and_drained(tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        save, played.book.save = played.book.save, full  # type: ignore[method-assign,assignment]
        played.codes.missing.add("sales")
        run, _ = await played.keeper.submit(WISH)
        other, _ = await played.keeper.submit(WISH)
        played.codes.missing.clear()
        played.keeper.look_again()
        await played.until(lambda: played.keeper.records.trouble)
        assert played.hands.started == []
        await played.keeper.cancel(run.id)
        assert (await played.keeper.ended(run.id)).state is RunState.CANCELLED
        await played.keeper.drain(0.0)
        assert played.hands.started == []
        played.book.save = save  # type: ignore[method-assign]
        assert played.keeper.unfinished()[other.id].state is RunState.QUEUED

    play(tmp_path, story)

    async def next_daemon(played: Played) -> None:
        await played.keeper.begin()
        await played.until(lambda: played.hands.started)
        ((started, attempt),) = played.hands.started
        assert attempt == 1
        played.hands.end(started)
        assert (await played.keeper.ended(started)).state is RunState.SUCCEEDED

    play(tmp_path, next_daemon)


def test_a_fault_in_a_turn_holds_up_no_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "AGAIN", 0.01)

    async def story(played: Played) -> None:
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        good = played.heard.changed

        def breaks(before: RunRecord | None, run: RunRecord) -> None:
            played.heard.changed = good  # type: ignore[method-assign]
            raise RuntimeError("oh")

        played.heard.changed = breaks  # type: ignore[method-assign]
        played.hands.signal = lambda run, how: played.hands.end(run.id, None)  # type: ignore[method-assign]
        await played.keeper.drain(0.0)
        assert played.reported == ["a fault of codelocd in its runs: RuntimeError: oh"]

    play(tmp_path, story)


def test_a_dagster_that_cannot_be_told_holds_up_neither_end_nor_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "LAST_REPORTS", 0.01)

    async def for_ever(run: RunId, effect: TellDagster) -> None:
        await asyncio.Event().wait()

    def of_dagsters(played: Played) -> None:
        played.codes.of = lambda name: PlayedCode(loader="dagster")  # type: ignore[method-assign]
        played.hands.tell_dagster = for_ever  # type: ignore[method-assign]

    async def story(played: Played) -> None:
        of_dagsters(played)
        run, _ = await played.keeper.submit(WISH)
        await played.state(run.id, RunState.RUNNING)
        played.hands.end(run.id, None, signal=9)
        await played.keeper.ended(run.id)
        await played.keeper.drain(0.0)

    async def next_daemon(played: Played) -> None:
        of_dagsters(played)
        await played.keeper.begin()
        assert len(await played.keeper.records.untold()) == 1
        await played.keeper.drain(0.0)

    play(tmp_path, story)
    play(tmp_path, next_daemon)
