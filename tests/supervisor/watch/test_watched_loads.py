"""What a load read, and whether it is current: attempts, loads, takeovers."""

from pathlib import Path

from codelocd.watch.notices import Change, Watched
from codelocd.watch.tracker import LOADS
from tests.supervisor.watch.listening import Listener


async def test_a_save_during_the_load_means_that_the_load_is_not_current(
    listener: Listener,
) -> None:
    defs, library = listener.write("defs.py", "defs"), listener.write("library.py", "old")
    listener.follow(defs)
    listener.watch.begin("sales")
    read = {str(path): listener.digest(path.read_text()) for path in (defs, library)}
    library.write_text("new")
    assert listener.watch.loaded("sales", read).paths
    listener.watch.took_over("sales")
    assert listener.watch.differing("sales") == 1
    listener.watch.begin("sales")
    read[str(library)] = listener.digest("new")
    assert not listener.watch.loaded("sales", read).paths
    assert listener.watch.differing("sales") == 1
    listener.watch.took_over("sales")
    assert listener.watch.differing("sales") == 0


async def test_a_save_after_the_load_read_the_file_is_told_although_loaded_said_so(
    listener: Listener,
) -> None:
    defs = listener.write("defs.py", "a")
    listener.follow(defs)
    listener.watch.begin("sales")
    defs.write_text("b")
    assert listener.watch.loaded("sales", {str(defs): listener.digest("a")}).paths
    assert (await listener.change()).paths == (str(defs),)


async def test_a_load_that_read_the_save_made_during_it_is_current(listener: Listener) -> None:
    defs = listener.write("defs.py", "a")
    listener.follow(defs)
    listener.watch.begin("sales")
    defs.write_text("b")
    assert not listener.watch.loaded("sales", {str(defs): listener.digest("b")}).paths
    await listener.quiet()


async def test_files_learned_from_a_load_are_followed_wherever_they_live(
    listener: Listener, tmp_path: Path
) -> None:
    defs = listener.write("defs.py", "defs")
    shared = tmp_path / "shared" / "library" / "money.py"
    shared.parent.mkdir(parents=True)
    shared.write_text("old")
    listener.serve(defs)
    listener.watch.begin("sales")
    read = {str(path): listener.digest(path.read_text()) for path in (defs, shared)}
    assert not listener.watch.loaded("sales", read).paths
    listener.watch.took_over("sales")
    shared.write_text("new")
    await listener.changed_to({shared: "new"})


async def test_what_is_served_still_counts_after_an_attempt_that_read_less(
    listener: Listener,
) -> None:
    defs, orders = listener.write("defs.py", "good"), listener.write("orders.py", "old")
    listener.serve(defs, orders)
    defs.write_text("broken")
    await listener.change()
    listener.watch.begin("sales")
    assert not listener.watch.loaded("sales", {str(defs): listener.digest("broken")}).paths
    orders.write_text("new")
    change = await listener.change()
    assert (change.differing, change.paths) == (2, (str(orders),))


async def test_a_file_that_is_imported_no_longer_stops_counting_with_the_takeover(
    listener: Listener,
) -> None:
    defs, orders = listener.write("defs.py", "defs"), listener.write("orders.py", "old")
    listener.serve(defs, orders)
    listener.follow()
    listener.watch.begin("sales")
    assert not listener.watch.loaded("sales", {str(defs): listener.digest("defs")}).paths
    listener.watch.took_over("sales")
    orders.write_text("new")
    await listener.quiet()


async def test_a_new_module_counts_until_a_load_shows_that_nothing_reads_it(
    listener: Listener,
) -> None:
    defs = listener.write("defs.py", "defs")
    listener.serve(defs)
    helper = listener.write("helper.py", "one")
    assert await listener.change() == Change(1, (str(helper),), inputs=False)
    listener.watch.begin("sales")
    assert not listener.watch.loaded("sales", {str(defs): listener.digest("defs")}).paths
    assert listener.watch.differing("sales") == 0
    helper.write_text("two")
    await listener.quiet()
    helper.unlink()
    await listener.quiet()
    helper.write_text("three")
    assert (await listener.change()).paths == (str(helper),)


async def test_a_launch_does_not_take_a_save_of_an_input_for_what_was_prepared(
    listener: Listener,
) -> None:
    inputs = listener.write("requirements.txt", "old")
    watched = Watched((frozenset()), (), (), (), str(listener.folder), frozenset({str(inputs)}))
    listener.watch.follow("sales", watched)
    listener.watch.begin("sales")
    inputs.write_text("new")
    assert listener.watch.loaded("sales", {}).paths  # known from now on, and not told yet
    listener.watch.begin("sales", prepared=True)
    assert (await listener.change()).inputs


def own_load(listener: Listener, defs: Path, made: Path, text: str) -> Change:
    """A load that writes `made`."""
    listener.watch.begin("sales")
    made.write_text(text)
    return listener.watch.loaded("sales", {str(defs): listener.digest(defs.read_text())})


async def test_what_each_load_writes_is_seen_for_itself_and_counts_no_longer(
    listener: Listener,
) -> None:
    defs, made = listener.write("defs.py", "defs"), listener.write("made.mark", "")
    listener.serve(defs)
    for number in range(LOADS - 1):
        assert own_load(listener, defs, made, f"{number}").paths == (str(made),)
    assert not own_load(listener, defs, made, "last").paths
    (line,) = listener.problems
    assert f"sales: {made} has changed during each of the last loads" in line
    assert not own_load(listener, defs, made, "one more").paths
    listener.watch.took_over("sales")
    assert listener.watch.differing("sales") == 0
    listener.changes.clear()
    made.write_text("by hand")
    assert (await listener.change()).paths == (str(made),)


async def test_what_one_load_leaves_alone_counts_again(listener: Listener) -> None:
    defs, made = listener.write("defs.py", "defs"), listener.write("made.mark", "")
    listener.serve(defs)
    for number in range(LOADS):
        own_load(listener, defs, made, f"{number}")
    own_load(listener, defs, made, f"{LOADS - 1}")
    assert own_load(listener, defs, made, "again").paths == (str(made),)


async def test_saves_in_the_pauses_too_are_those_of_somebody_else(listener: Listener) -> None:
    defs, made = listener.write("defs.py", "defs"), listener.write("made.mark", "")
    listener.serve(defs)
    for number in range(2 * LOADS):
        assert own_load(listener, defs, made, f"during {number}").paths == (str(made),)
        made.write_text(f"after {number}")
        await listener.changed_to({made: f"after {number}"})
        listener.changes.clear()
    assert not listener.problems
