"""What all locations together make of folders and files."""

import asyncio
from pathlib import Path

from codelocd.watch.dispatch import Views, view
from codelocd.watch.folders import Folders
from codelocd.watch.notices import Watched
from codelocd.watch.plan import Plan, make_plan
from codelocd.watch.polling import Mounts
from codelocd.watch.tracker import Tracker


def watched(root: Path, *files: Path) -> Watched:
    names = frozenset(map(str, files))
    return Watched(names, (str(root),), (), (), str(root), frozenset())


def directly_and_by_a_link(parent: Path) -> dict[str, Plan]:
    """What `one` and `two` look at: a folder, by its own name and by that of a link to it."""
    folder, link = parent / "folder", parent / "link"
    folder.mkdir()
    link.symlink_to(folder)
    return {"one": make_plan(watched(folder), ()), "two": make_plan(watched(link), ())}


def test_an_entry_is_known_by_the_names_that_all_locations_give_its_folder(tmp_path: Path) -> None:
    plans = directly_and_by_a_link(tmp_path)
    seen = view(str(tmp_path / "folder"), plans)
    assert seen.called("a.py") == {str(tmp_path / name / "a.py") for name in ("folder", "link")}


def test_a_link_turns_the_paths_of_those_who_go_through_it(tmp_path: Path) -> None:
    plans = directly_and_by_a_link(tmp_path)
    assert view(str(tmp_path), plans).turns == {"link": frozenset({"two"})}


def test_the_target_of_a_link_is_known_by_the_link_too(tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "target.py", tmp_path / "code" / "link.py"
    for file in (target, link):
        file.parent.mkdir()
    target.write_text("")
    link.symlink_to(target)
    plans = {"one": make_plan(watched(link.parent, link), ())}
    assert str(link) in view(str(target.parent), plans).called("target.py")


async def test_readers_are_asked_anew_once_a_plan_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    trackers: dict[str, Tracker] = {}
    folders = Folders(asyncio.get_running_loop(), lambda _: None, print, Mounts())
    views = Views(folders, trackers)
    for name in ("one", "two"):
        what = watched(tmp_path, file)
        trackers[name] = Tracker(what, make_plan(what, ()), lambda _: None)
        views.renew()
        assert views.readers([str(file), "/elsewhere.py"]) == set(trackers)
    folders.close()
