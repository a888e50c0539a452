"""Child processes: each in a session of its own, each end noticed at once."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from codelocd.model import Exit, Output, Stream
from codelocd.process.accounts import Account, spawn
from codelocd.process.guardian import Guardian
from codelocd.process.guardian_process import Identity, descendants
from codelocd.process.identity import GONE, began, state
from codelocd.process.orphans import Orphans, marked
from codelocd.process.pidfd import ended, exit_of, is_child, reaped
from codelocd.process.pipes import STREAMS, OutputPipes, pipes

_PR_SET_CHILD_SUBREAPER = 36

_LAST_MOMENT = 1.0
"""Seconds for killed children to be gone; one may hang in the kernel."""


class Child:
    """One process with its group and what it prints."""

    def __init__(self, pid: int, mark: str, exited: asyncio.Future[Exit]) -> None:
        self.pid = pid
        self.mark = mark
        self.exited = exited
        self.family: set[Identity] = set()
        """The descendants that were seen; one that left the group may bear no mark."""

    def look_at_family(self) -> None:
        """To be called before it ends: nothing tells afterwards whose children they were."""
        if not self.exited.done():
            self.family.update(descendants(self.pid))

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the whole group; one that has ended is left alone: its number may be another's."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if not self.exited.done():
                os.killpg(self.pid, number)

    def kill(self) -> None:
        self.look_at_family()
        self.signal_group(signal.SIGKILL)

    def resume(self) -> None:
        """Send SIGCONT: a process that was stopped by a signal could neither answer nor leave."""
        self.signal_group(signal.SIGCONT)

    async def end(self, grace: float) -> None:
        """Ask (TERM, and CONT in case it is stopped), wait up to `grace` seconds, then kill."""
        self.look_at_family()
        self.signal_group(signal.SIGTERM)
        self.resume()
        await self.gone(grace)
        self.kill()
        await asyncio.shield(self.exited)

    async def gone(self, seconds: float) -> bool:
        """Whether the process ends within `seconds`."""
        done, _ = await asyncio.wait([self.exited], timeout=seconds)
        return bool(done)


class Children:
    """Starts processes, from the loop's (the main) thread, and notices their ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, guardian: Guardian) -> None:
        self._loop = loop
        self._guardian = guardian
        self._ours: dict[int, tuple[Child, OutputPipes]] = {}
        self.note = guardian.note
        self._adoptions = 0
        self._becoming: set[int] = set()
        self._orphans = Orphans(guardian.keeping.family if guardian.keeping else "")
        guardian.family = self._orphans.family
        self._umask = os.umask(0o077)  # what is made in this process is for its own user alone
        _become_subreaper()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)

    async def settled(self) -> None:
        """Returns when the children that were killed, and all that they left, are gone."""
        if ending := [child.exited for child, _ in self._ours.values()]:
            await asyncio.wait(ending, timeout=_LAST_MOMENT)
        await self._orphans.settled()
        await self._orphans.end_unmarked({*self._ours, self._guardian.pid or 0})

    def close(self) -> None:
        self._loop.remove_signal_handler(signal.SIGCHLD)
        self.restore_umask()

    def restore_umask(self) -> None:
        os.umask(self._umask)

    def start(
        self,
        command: Sequence[str],
        *,
        variables: Mapping[str, str],
        directory: Path,
        output: Output,
        pass_fds: Iterable[int] = (),
        stdin: int = subprocess.DEVNULL,
        mark: str | None = None,
        private: bool = False,
        account: Account | None = None,
    ) -> Child:
        """Start `command`; `output(stream, data)` gets what it prints, b"" at its end.

        What a `private` one makes is for this user alone. `account`: as another user.
        What descends from it bears `mark`, and ends with it; with "" it is left alone, as is
        right for a process whose forks, which bear marks of their own, shall outlive it.
        Raises OSError when it cannot be started.
        """
        mark = self.mark() if mark is None else mark
        with self._printing(output) as (outputs, writers):
            process = spawn(
                command,
                account,
                stdin=stdin,
                stdout=writers[0],
                stderr=writers[1],
                env={**variables, **marked(mark or self._orphans.shared)},
                cwd=directory,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
                umask=0o077 if private else self._umask,
            )
            process.returncode = 0  # its end is noticed here, not by Popen
            return self._watched(Child(process.pid, mark, self._loop.create_future()), outputs)

    def mark(self) -> str:
        """A new mark."""
        return self._orphans.mark()

    @contextlib.contextmanager
    def _printing(self, output: Output) -> Iterator[tuple[OutputPipes, Sequence[int]]]:
        """Pipes for one that starts, which outlive the daemon; gone where it does not."""
        with pipes() as (readers, writers):
            outputs = self._outputs(readers, output)
            try:
                yield outputs, writers
            except BaseException:
                outputs.ended()
                raise

    def _outputs(
        self, readers: Sequence[int], output: Output, slots: Mapping[Stream, int] | None = None
    ) -> OutputPipes:
        words = self._guardian.words(output, slots)
        outputs = OutputPipes(
            self._loop, readers, words.passages, lambda: self._guardian.heard(words)
        )
        outputs.number = words.number
        self._guardian.listen(words, lambda: outputs.descriptors)
        return outputs

    async def adopt(
        self,
        mark: str,
        ask: Callable[[Sequence[int]], Awaitable[int]],
        output: Output,
        becoming: int | None = None,
    ) -> Child:
        """A process that was not started here, but leads a session and is a child by now.

        `mark` is what it gives to those that descend from it.
        `ask` gets the descriptors for its standard output and error, and gives its pid. A child
        from here, with the pid `becoming`, may change what it prints to in that way. Raises
        OSError when it is gone already, and whatever `ask` does.
        """
        with self._printing(output) as (outputs, writers), self._adopting(becoming):
            pid = await ask(writers)
            ended(os.P_PID, pid, missing_ok=False)
            if pid in self._ours:
                child, former = self._ours.pop(pid)
                child.mark = mark
                former.finish()
                return self._watched(child, outputs)
            return self._watched(Child(pid, mark, self._loop.create_future()), outputs)

    def take(
        self,
        pid: int,
        since: int,
        mark: str,
        output: Output,
        readers: Mapping[Stream, int],
        slots: Mapping[Stream, int],
    ) -> Child:
        """A process that an earlier daemon started; `readers` are the reading ends of its output,
        and are closed here, whatever comes of it; `slots`: those in the transit.

        Raises ProcessLookupError when the process that began then is gone.
        """
        outputs = self._outputs([_or_empty(readers.get(s)) for s in STREAMS], output, slots)
        descriptor = -1
        try:
            descriptor = os.pidfd_open(pid)
            if state(pid, since) == GONE:
                raise ProcessLookupError
        except OSError:
            outputs.finish()
            if descriptor >= 0:
                os.close(descriptor)
            raise ProcessLookupError from None
        child = Child(pid, mark, self._loop.create_future())
        if not is_child(pid):
            self._loop.add_reader(descriptor, self._ended_elsewhere, pid, descriptor)
        else:
            os.close(descriptor)  # this process was an earlier daemon, and is still its parent
        return self._watched(child, outputs)

    def _ended_elsewhere(self, pid: int, descriptor: int) -> None:
        """A process that is not a child of this one has ended: its own parent reaps it."""
        self._loop.remove_reader(descriptor)
        end = exit_of(descriptor)
        os.close(descriptor)
        child, outputs = self._ours.pop(pid)
        if began(pid) is None:  # no process has its number; its group may still have members
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        self._finish(child, outputs, end)

    def hold(self, pid: int, record: Mapping[str, Any]) -> None:
        """From now on the child outlives the daemon, for a while; the next one gets the `record`,
        with its `pid`, when it `began`, and its `mark`."""
        since = began(pid)
        if since is None or pid not in self._ours:
            return
        child, outputs = self._ours[pid]
        known = {"pid": pid, "began": since, "mark": child.mark, "words": outputs.number}
        self._guardian.hold(pid, {**record, **known})

    def let_go(self, pid: int) -> None:
        """Take the record back: the child ends with the daemon again."""
        self._guardian.let_go(pid)

    async def end_earlier(self) -> None:
        """End the descendants of earlier daemons' children, except those that were adopted."""
        taken = {child.mark for child, _ in self._ours.values()}
        await self._orphans.end_earlier(taken)

    @property
    def life(self) -> int | None:
        """The pipe that each held process reads from: at its end, when neither this process nor the
        holder exists any more, the process ends itself. None where everything ends with this
        process."""
        return self._guardian.life[0] if self._guardian.life is not None else None

    @contextlib.contextmanager
    def _adopting(self, becoming: int | None) -> Iterator[None]:
        """Within it no unknown child is reaped, nor that one: one of them may be the process."""
        self._adoptions += 1
        held = {becoming} if becoming is not None else set()
        self._becoming |= held
        try:
            yield
        finally:
            self._adoptions -= 1
            self._becoming -= held
            self._loop.call_soon(self._reap)  # it may have ended before it was known here

    def _watched(self, child: Child, outputs: OutputPipes) -> Child:
        outputs.begin()
        self._ours[child.pid] = (child, outputs)
        self._guardian.watch(child.pid)
        return child

    def _reap(self) -> None:
        self._look_after_guardian()
        while (pid := ended(os.P_ALL, 0)) is not None:
            if pid in self._ours and pid not in self._becoming:
                self._deliver(pid)
            elif pid == self._guardian.pid:
                self._look_after_guardian()
            elif not self._adoptions and os.getsid(pid) != os.getsid(0):
                os.waitid(os.P_PID, pid, os.WEXITED)
            else:
                self._look_behind()
                return

    def _look_after_guardian(self) -> None:
        pause = self._guardian.look()
        if pause is not None and self._ours:
            self._loop.call_later(pause, self._guardian.renew)

    def _look_behind(self) -> None:
        """One that is not ours, or not yet, has ended and stays: ask for each of ours."""
        for pid in self._ours.keys() - self._becoming:
            if ended(os.P_PID, pid) is not None:
                self._deliver(pid)

    def _deliver(self, pid: int) -> None:
        child, outputs = self._ours.pop(pid)
        # before it is reaped: its number still means this group, and nothing descends from it
        child.signal_group(signal.SIGKILL)
        self._finish(child, outputs, reaped(pid))

    def _finish(self, child: Child, outputs: OutputPipes, end: Exit) -> None:
        child.exited.set_result(end)  # its callbacks come later: after its last words
        if child.mark:
            self._orphans.orphaned(child.mark, child.family)
        self._guardian.release(child.pid)
        outputs.finish()


def _or_empty(reader: int | None) -> int:
    """A pipe without a writer, in place of one that was at its end."""
    if reader is not None:
        return reader
    reading, writing = os.pipe()
    os.close(writing)
    return reading


def _become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


T = TypeVar("T")


async def shielded(work: Awaitable[T], dispose: Callable[[T], object]) -> T:
    """The result of `work`. When the caller is cancelled, work goes on and its result, which
    the caller cannot free then, is disposed of."""
    task = asyncio.ensure_future(work)

    def unwanted(done: asyncio.Future[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            dispose(done.result())

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(unwanted)
        raise
