"""The runs that a daemon holds in memory: all that have not ended, or are not recorded yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from codelocd.runs.model import RunId, RunRecord, RunState


class RunTable:
    """By number. `due`: of each the next moment of the monotonic clock at which to look at it."""

    def __init__(self) -> None:
        self._runs: dict[RunId, RunRecord] = {}
        self._active: set[RunId] = set()
        self._ended: set[RunId] = set()
        self._due: dict[RunId, float] = {}

    def get(self, number: RunId) -> RunRecord | None:
        return self._runs.get(number)

    def all(self) -> Iterator[RunRecord]:
        return iter(tuple(self._runs.values()))

    def put(self, run: RunRecord) -> None:
        """A new run, or another state of one."""
        number = run.id
        self._runs[number] = run
        self._active.discard(number)
        if run.state.is_final:
            self._ended.add(number)
        elif run.state is not RunState.QUEUED:
            self._active.add(number)
        due = run.deadlines.next()
        if due is None:
            self._due.pop(number, None)
        else:
            self._due[number] = due

    @property
    def unfinished(self) -> Mapping[RunId, RunRecord]:
        return {number: run for number, run in self._runs.items() if number not in self._ended}

    @property
    def going_on(self) -> list[RunRecord]:
        """Those with an attempt that starts or runs, the oldest first."""
        return [self._runs[number] for number in sorted(self._active)]

    @property
    def count(self) -> int:
        """How many go on."""
        return len(self._active)

    def forget_ended(self, is_kept: Callable[[RunId], bool]) -> list[RunId]:
        """Let go of those that have ended, but for those that are `is_kept`; their numbers."""
        gone = [number for number in self._ended if not is_kept(number)]
        for number in gone:
            self._ended.discard(number)
            del self._runs[number]
        return gone

    @property
    def next_due(self) -> float | None:
        return min(self._due.values(), default=None)

    def pop_due(self, clock: float) -> list[RunRecord]:
        """Those whose moment has come. Until it is put again, none of them is due another time."""
        numbers = [number for number, due in self._due.items() if due <= clock]
        for number in numbers:
            del self._due[number]
        return [self._runs[number] for number in numbers]
