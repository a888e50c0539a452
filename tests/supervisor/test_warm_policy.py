"""What warm interpreters preload, and who may start from them."""

from __future__ import annotations

from codelocd.model import StartWish
from codelocd.runners.warm.method import MethodChoice, choose, visible
from codelocd.runners.warm.profile import (
    ImportProfile,
    Imports,
    after_load,
    common,
    shareable,
    with_beside,
)

SEEN = Imports(("a", "a.b", "c"), ("a", "c"))


NOTHING = ImportProfile()


def method(
    learned: ImportProfile = NOTHING,
    wanted: StartWish = "auto",
    platform: str = "linux",
    **variables: str,
) -> MethodChoice:
    return choose(wanted, "sales", learned, variables, platform)


def test_a_cold_start_shows_all_that_a_location_imports() -> None:
    former = Imports(("old",), ("old",))
    assert after_load(former, SEEN, None) == Imports(("a", "a.b", "c"), ("a", "c"))


def test_a_warm_start_adds_to_what_is_known() -> None:
    seen = Imports(("new",), ("a", "c", "new"))
    assert after_load(SEEN, seen, SEEN).modules == ("a", "a.b", "c", "new")


def test_a_location_without_a_list_takes_over_what_it_was_forked_with() -> None:
    seen = Imports((), ("a", "c"))
    assert after_load(None, seen, SEEN).modules == ("a", "a.b", "c")


def test_code_that_names_less_is_certain_of_no_more_than_what_it_names() -> None:
    seen = Imports(("a.extra",), ("a",))
    assert after_load(SEEN, seen, SEEN) == Imports(("a", "a.extra"), ("a",))


def test_what_several_locations_have_in_common_keeps_the_order_of_the_first() -> None:
    other = Imports(("x", "c", "a"), ("x", "c"))
    assert common([SEEN, other]) == Imports(("a", "c"), ("c",))


def test_cold_packages_are_not_shared() -> None:
    assert shareable(SEEN, {"a"}) == Imports(("c",), ("c",))


def test_programs_beside_runners_have_their_modules_where_their_package_is_imported() -> None:
    beside = {"a": ("a.cli", "a.b", "c.server"), "x": ("x.cli",)}
    wanted = with_beside(SEEN, beside)
    assert wanted.preloaded == ("a", "a.b", "c", "a.cli", "c.server")
    assert (wanted.modules, wanted.named) == (SEEN.modules, SEEN.named)
    assert shareable(wanted, {"c"}).preloaded == ("a", "a.b", "a.cli")


def test_what_is_beside_runners_is_not_learned_as_theirs() -> None:
    shared = with_beside(SEEN, {"a": ("a.cli",)})
    assert after_load(None, Imports((), ("a", "c")), shared).modules == SEEN.modules


def test_a_fork_is_the_first_choice() -> None:
    assert method().method == "fork"


def test_a_location_that_imports_a_cold_package_gets_a_spare_and_the_reason() -> None:
    learned = ImportProfile({"sales": SEEN}, {"c": "it started 1 thread"})
    assert method(learned).method == "spare"
    assert method(learned).why == "it imports c: it started 1 thread"
    assert method(learned, "fork").method == "spawn"
    assert method(ImportProfile({"other": SEEN}, {"c": "it started 1 thread"})).method == "fork"


def test_packages_that_are_known_to_break_need_no_finding_out() -> None:
    learned = ImportProfile({"sales": Imports(("torch.nn",), ("torch",))})
    assert method(learned).method == "spare"
    assert "github.com/pytorch" in method(learned).why


def test_a_second_suspicion_ends_forking() -> None:
    once = ImportProfile().with_suspicion("sales hung")
    assert method(once).method == "fork"
    assert method(once.with_suspicion("sales hung again")).method == "spare"


def test_nothing_is_forked_but_on_linux() -> None:
    assert method(platform="darwin").method == "spare"
    assert method(platform="darwin", wanted="fork").method == "spawn"


def test_variables_count_that_imports_read_or_that_no_python_code_reads() -> None:
    variables = {"TZ": "UTC", "LC_ALL": "C", "REGION": "eu", "TOKEN": "x", "PYTHONPATH": "/a"}
    assert visible(variables, {"REGION"}) == {
        ("TZ", "UTC"),
        ("LC_ALL", "C"),
        ("REGION", "eu"),
        ("PYTHONPATH", "/a"),
    }
