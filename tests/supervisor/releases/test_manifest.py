"""A tree of files as a list: its name, what it must not hold, and how two of them differ."""

from __future__ import annotations

import json

import pytest

from codelocd.releases import manifest as module
from codelocd.releases.manifest import (
    SizeCount,
    TreeEntry,
    TreeManifest,
    UnfitTree,
    changes,
    content_digest,
)


def digest(text: str) -> str:
    found = content_digest()
    found.update(text.encode())
    name: str = found.hexdigest()
    return name


def file(path: str, text: str = "", *, executable: bool = False) -> TreeEntry:
    return TreeEntry(path, digest(text), len(text), executable)


def link(path: str, target: str) -> TreeEntry:
    return TreeEntry(path, link=target)


def test_a_tree_is_named_by_what_it_holds_and_not_by_the_order_of_its_entries() -> None:
    one, other = file("a.py", "1"), file("pkg/b.py", "2")
    assert TreeManifest([one, other]).id == TreeManifest([other, one]).id
    assert TreeManifest([one]).id != TreeManifest([file("a.py", "2")]).id
    assert TreeManifest([one]).id != TreeManifest([file("a.py", "1", executable=True)]).id
    assert TreeManifest([one]).id != TreeManifest([file("b.py", "1")]).id
    assert len(TreeManifest([one]).id) == 32


def test_what_is_encoded_is_read_as_it_was() -> None:
    tree = TreeManifest(
        [file("ä/x.py", "1"), link("current", "ä"), file("run", "2", executable=True)]
    )
    again = TreeManifest.decoded(tree.encoded)
    assert (again.entries, again.id, again.bytes) == (tree.entries, tree.id, 2)
    assert [again.has(path) for path in (".", "ä", "ä/x.py", "ä/y", "current")] == [
        *(True, True, True, False, True)
    ]


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\0b", "x" * 256, "\udcff", "a/" * 2100],
)
def test_a_path_stays_within_the_tree(path: str) -> None:
    with pytest.raises(UnfitTree):
        TreeManifest([file(path)])


@pytest.mark.parametrize(
    ("path", "target"),
    [
        *(("l", "/etc/passwd"), ("l", ".."), ("l", "../x"), ("a/l", "../../x")),
        *(("a/l", "b/../../../x"), ("a/l", "b/../x"), ("l", ""), ("l", "a\0")),
    ],
)
def test_a_link_that_may_lead_out_of_the_tree_is_refused(path: str, target: str) -> None:
    with pytest.raises(UnfitTree, match="link"):
        TreeManifest([link(path, target)])


@pytest.mark.parametrize(("path", "target"), [("l", "a/b"), ("a/b/l", "../../c"), ("l", "./x")])
def test_a_link_within_the_tree_is_kept(path: str, target: str) -> None:
    (entry,) = TreeManifest([link(path, target)]).entries
    assert entry.link == target


@pytest.mark.parametrize(
    "entries",
    [[file("a"), file("a", "2")], [file("a"), file("a/b")], [link("a", "b"), file("a/c/d")]],
)
def test_no_entry_is_in_the_way_of_another(entries: list[TreeEntry]) -> None:
    with pytest.raises(UnfitTree):
        TreeManifest(entries)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"files": [["a", "00", 1, False]]},
        {"files": [["a", digest(""), -1, False]]},
        {"files": [["a", digest(""), True, False]]},
        {"files": [["a", digest(""), 1, 1]]},
        {"files": [[1, digest(""), 1, True]]},
        {"files": [["a"]]},
        {"files": 7},
        {"links": [["a", 7]]},
        {"links": [["a", "/etc"]]},
    ],
)
def test_bytes_that_are_no_list_of_files_are_refused(change: dict[str, object]) -> None:
    document = {"version": 1, "files": [], "links": [], **change}
    with pytest.raises(UnfitTree):
        TreeManifest.decoded(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"null", b"[" * 100_000, b"{}"])
def test_and_so_is_what_is_no_document(data: bytes) -> None:
    with pytest.raises(UnfitTree):
        TreeManifest.decoded(data)


def test_a_tree_that_is_too_large_says_where_the_most_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 3 << 20)
    counted = SizeCount()
    counted.add("pkg/code.py", 10)
    counted.add("pkg/data/1.csv", 1 << 20)
    counted.add("pkg/data/2.csv", 1 << 20)
    with pytest.raises(UnfitTree, match=r"more than 3 MiB.* 3 MiB of them are in pkg/data: "):
        counted.add("pkg/data/3.csv", 1 << 20)
    counted = SizeCount()
    counted.add("pkg/code.py", 10)
    with pytest.raises(UnfitTree, match=r"3 MiB of them are in pkg/large\.csv: leave it out "):
        counted.add("pkg/large.csv", 3 << 20)
    monkeypatch.setattr(module, "MOST_FILES", 3)
    counted = SizeCount()
    for number in range(3):
        counted.add(f"small/{number}", 0)
    with pytest.raises(UnfitTree, match=r"more than 3 files.* 4 of them are in small"):
        counted.add("small/last", 0)


def test_two_trees_differ_in_what_came_changed_and_went() -> None:
    former = TreeManifest([file("a"), file("b", "1"), link("c", "a")])
    found = changes(former, TreeManifest([file("b", "2"), link("c", "b"), file("d")]))
    assert (found.added, found.changed, found.removed) == (("d",), ("b", "c"), ("a",))
    assert changes(None, former).added == ("a", "b", "c")
