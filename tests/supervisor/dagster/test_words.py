"""What a code server prints, and who reads it."""

from __future__ import annotations

from codelocd.dagster.code_server import LAST_PIECES, ServerOutput


def test_what_a_server_prints_while_it_loads_is_kept_for_its_problem_alone():
    heard = []
    words = ServerOutput(lambda stream, data: heard.append((stream, data)))
    words("stderr", b"no such ")
    words("stdout", b"thing \xff")
    assert words.last == "no such thing \ufffd"
    assert heard == []


def test_what_it_prints_once_it_answers_is_its_locations_output():
    heard = []
    words = ServerOutput(lambda stream, data: heard.append((stream, data)))
    words.pass_on()
    words("stdout", b"a tick\n")
    assert heard == [("stdout", b"a tick\n")]


def test_of_much_output_the_end_is_kept():
    words = ServerOutput(lambda _stream, _data: None)
    for number in range(LAST_PIECES + 1):
        words("stdout", b"%d\n" % number)
    assert words.last.startswith("1\n")
    assert words.last.endswith(f"{LAST_PIECES}\n")
