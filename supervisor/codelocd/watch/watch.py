"""Tells the daemon which locations are no longer what their files say."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Mapping

from codeloc_envs.problem import shortage
from codelocd.watch.dispatch import News, Views
from codelocd.watch.files import AGAIN, Contents, Examiner, locked_by_git
from codelocd.watch.folders import Folders
from codelocd.watch.notices import Change, Kind, Notice, Watched
from codelocd.watch.plan import MOST_FOLDERS, Plan, make_plan
from codelocd.watch.polling import INTERVAL, Mounts
from codelocd.watch.tracker import Tracker

RESCAN = 300.0
"""Seconds between two looks at everything, in case that an event never came."""

PASSES = 5
"""Plans in a row, while each finds folders that were not watched when it was made."""

SHARE = 0.1
"""Planning again takes at most this part of the loop's time."""


OnChange = Callable[[str, Change], None]


OWN_WRITE = (
    "{location}: {path} has changed during each of the last loads, so they are taken to write it:"
    " from now on a change of it while a load runs starts no other load"
    " (with `ignore` it never counts)"
)


CUT = (
    'location "{location}": {top} has more than {most} folders, the rest is watched only where'
    " files are imported from; leave folders out with `ignore`"
)


class SourceWatch:
    """Follows locations; all methods are called on the loop, and so are the callbacks.

    `on_change(location, change)`: the content of a file that counts is not what the newest
    attempt saw. `on_problem(line)`: files cannot be watched as they should be, and what to do;
    it may come before the constructor returns.
    `poll_interval`: seconds between two looks at folders that the kernel does not watch for us.
    All methods about a location but `follow` and `forget` raise KeyError if it is not followed.
    """

    def __init__(
        self,
        on_change: OnChange,
        on_problem: Callable[[str], None],
        loop: asyncio.AbstractEventLoop,
        poll_interval: float = INTERVAL,
    ) -> None:
        self._on_change = on_change
        self._on_changes: dict[str, OnChange] = {}
        self._on_problem = on_problem
        self._loop = loop
        self._trackers: dict[str, Tracker] = {}
        self._contents = Contents()
        self._folders = Folders(loop, self._noticed, on_problem, Mounts(), poll_interval)
        self._views = Views(self._folders, self._trackers)
        self._news = News(
            loop, self._trackers, self._contents, self._views, self.pending, self._tell
        )
        self._examiner = Examiner(loop, self._contents, self._news.looked)
        self._outdated: dict[str, None] = {}  # in order: one that never rests starves no other
        self._planning: asyncio.TimerHandle | None = None
        self._plan_not_before = 0.0
        self._cut: set[str] = set()
        self._rescanning = loop.call_later(RESCAN, self._rescan)
        self.noticed = 0  # events of the file system so far

    def follow(self, location: str, watched: Watched, on_change: OnChange | None = None) -> None:
        """Watches stand when this returns. Replaces what was followed before; OSError where the
        machine lacks what it takes, and nothing was. `on_change` is told of this one's changes, in
        place of the watch's own.
        """
        if on_change is not None:
            self._on_changes[location] = on_change
        tracker = self._trackers.get(location)
        if tracker is None or tracker.watched != watched or location in self._outdated:
            self._follow_anew(location, watched, tracker)
            self._look_at(location)

    def _follow_anew(self, location: str, watched: Watched, tracker: Tracker | None) -> None:
        self._outdated.pop(location, None)
        try:
            plan = self._plan(location, watched, tracker.named if tracker else ())
        except OSError as error:
            if tracker is None or not shortage(error):
                raise
            tracker.adopt(watched, tracker.plan)
            self._plan_later(location)
            return
        absent = self._contents.learn({*watched.files, *watched.inputs, *plan.matched})
        self._news.is_known(absent)
        if tracker:
            tracker.adopt(watched, plan)
        else:
            self._trackers[location] = Tracker(watched, plan, self._contents.digest)

    def forget(self, location: str) -> None:
        if self._drop(location):
            self._forget_contents()

    def _drop(self, location: str) -> bool:
        self._on_changes.pop(location, None)
        if self._trackers.pop(location, None) is None:
            return False
        self._news.forget(location)
        self._outdated.pop(location, None)
        self._folders.claim(location, ())
        self._views.renew()
        return True

    def begin(self, location: str, *, prepared: bool = False) -> None:
        """A candidate starts now: it sees what is known of the files at this moment.

        A save that is not known yet will be reported as one that came after. `prepared`: its
        environment was made of the inputs as they were when it last began.
        """
        self._trackers[location].begin(prepared)

    def loaded(self, location: str, sources: Mapping[str, str]) -> Change:
        """The newest candidate read these files (path → digest); they are followed too.

        How the disk differs by now from what it saw; no paths: nothing was saved meanwhile.
        """
        tracker = self._trackers[location]
        known = tracker.named
        tracker.loaded(sources)
        if tracker.named - known:
            self._plan_again(location)
        self._contents.refresh(tracker.counted())
        for path in sorted(tracker.ended()):
            self._on_problem(OWN_WRITE.format(location=location, path=path))
        return self.pending(location)

    def took_over(self, location: str) -> None:
        """What the newest attempt saw is what is served."""
        self._trackers[location].took_over()

    def pending(self, location: str) -> Change:
        """How the files differ from what the newest attempt saw, as far as is known now.

        Whether git is at work is looked up."""
        tracker = self._trackers[location]
        return tracker.change(locked=locked_by_git(tracker.folders))

    def apart(self, location: str) -> tuple[list[str], list[str]]:
        """The folders of it that are polled, and the files that its loads write."""
        written = self._trackers[location].own_writes if location in self._trackers else ()
        return sorted(self._folders.polled(location)), sorted(written)

    def differing(self, location: str) -> int:
        return self._trackers[location].differing()

    def files(self, location: str) -> list[str]:
        """The files there are whose content matters now, sorted; none where nothing is followed."""
        counted = tracker.counted() if (tracker := self._trackers.get(location)) else ()
        return sorted(path for path in counted if self._contents.digest(path) is not None)

    def close(self) -> None:
        """No callback comes after this."""
        for location in list(self._trackers):
            self._drop(location)
        self._rescanning.cancel()
        if self._planning:
            self._planning.cancel()
        self._examiner.close()
        self._news.close()
        self._folders.close()

    def _noticed(self, notices: Collection[Notice]) -> None:
        self.noticed += len(notices)
        written: set[str] = set()
        unsettled: set[str] = set()
        for notice in notices:
            if notice.kind is Kind.LOST:
                self._rescan()
            elif notice.kind is Kind.GONE:
                self._outdated |= dict.fromkeys(self._folders.users(notice.folder))
                self._folders.gone(notice.folder)
            else:
                (written if notice.kind is Kind.WRITTEN else unsettled).update(self._sort(notice))
        if unsettled:
            self._examiner.doubt(unsettled)
        if written:
            self._examiner.examine(written)
        if self._outdated:
            self._plan_soon()

    def _sort(self, notice: Notice) -> set[str]:
        """The files in question; locations whose plan may no longer hold are outdated."""
        users, view = self._folders.users(notice.folder), self._views.of(notice.folder)
        names = view.called(notice.name)
        self._outdated |= dict.fromkeys(view.turns.get(notice.name, ()))
        path = os.path.join(notice.folder, notice.name)
        if notice.kind is Kind.FOLDER or os.path.isdir(path):
            self._outdated |= dict.fromkeys(one for one in users if self._grows(one, names))
        if notice.kind is Kind.FOLDER:
            return set()
        files = {p for p in names if any(self._trackers[one].concerns(p) for one in users)}
        if files and notice.name not in view.turns and os.path.islink(path):
            self._outdated |= dict.fromkeys(users)  # where it leads is not watched yet
        return files

    def _grows(self, location: str, names: Iterable[str]) -> bool:
        """Whether a folder of one of these names would be one to look into."""
        return any(self._trackers[location].plan.grows_at(path) for path in names)

    def _tell(self, location: str, change: Change) -> None:
        self._on_changes.get(location, self._on_change)(location, change)

    def _look_at(self, location: str) -> None:
        """Judge by what is known, and soon by what the disk holds."""
        counted = self._trackers[location].counted()
        self._news.judge(location, counted)
        self._examiner.examine(counted)

    def _rescan(self) -> None:
        self._folders.renew()
        self._outdated |= dict.fromkeys(self._trackers)
        self._plan_soon()
        self._rescanning.cancel()
        self._rescanning = self._loop.call_later(RESCAN, self._rescan)

    def _plan_soon(self) -> None:
        if self._outdated and self._planning is None:
            self._planning = self._loop.call_at(self._plan_not_before, self._plan_one)

    def _plan_one(self) -> None:
        self._planning = None
        if not self._outdated:
            return
        began = self._loop.time()
        location = next(iter(self._outdated))
        del self._outdated[location]
        self._plan_again(location)
        self._look_at(location)
        now = self._loop.time()
        self._plan_not_before = max(self._plan_not_before, now + (now - began) / SHARE)
        if not self._outdated:
            self._forget_contents()
        self._plan_soon()

    def _plan_again(self, location: str) -> None:
        tracker = self._trackers[location]
        try:
            plan = self._plan(location, tracker.watched, tracker.named)
        except OSError as error:
            if not shortage(error):
                raise
            self._plan_later(location)
        else:
            tracker.adopt(tracker.watched, plan)

    def _plan_later(self, location: str) -> None:
        """The machine lacks what a plan takes: what is watched now is watched until then."""
        self._outdated[location] = None
        self._plan_not_before = self._loop.time() + AGAIN
        self._plan_soon()

    def _plan(self, location: str, watched: Watched, files: Iterable[str]) -> Plan:
        """A plan that was made while every folder in it was watched."""
        self._views.renew()
        plan = make_plan(watched, files)
        for _ in range(PASSES):
            if not self._folders.claim(location, plan.folders):
                break
            plan = make_plan(watched, files)
        else:  # folders come faster than they can be watched
            self._outdated[location] = None
            self._plan_soon()
        self._report_cut(location, plan)
        return plan

    def _report_cut(self, location: str, plan: Plan) -> None:
        for top in set(plan.cut) - self._cut:
            self._cut.add(top)
            self._on_problem(CUT.format(location=location, top=top, most=MOST_FOLDERS))

    def _forget_contents(self) -> None:
        counted = set[str]().union(*(each.counted() for each in self._trackers.values()))
        self._contents.keep(counted)
        self._news.keep(counted)
