"""What is told of a build while the installer works."""

from __future__ import annotations

from codeloc_envs import Progress
from codeloc_envs.install.output import KEPT_LINES, ProgressReader

# What uv 0.13 writes into a pipe for a lock with two large packages and one to be built.
LINES = """\
Using Python 3.12.1 environment at: v
DEBUG Identified uncached distribution: numpy==2.5.5
DEBUG Identified uncached distribution: pandas==2.2.2
DEBUG Identified uncached distribution: lib @ file:///lib
Downloading numpy (15.0MiB)
   Building lib @ file:///lib
 Downloaded numpy
      Built lib @ file:///lib
Prepared 3 packages in 289ms
Installed 4 packages in 19ms
 + numpy==2.5.5
"""


NUMPY = 15 * 2**20


def test_downloads_and_builds_are_counted_against_what_is_lacking() -> None:
    heard: list[Progress] = []
    narrator = ProgressReader(heard.append)
    for line in LINES.splitlines(keepends=True):
        narrator.hear(line)
    assert heard == [
        Progress("downloading", "downloading numpy (15.0MiB)", 0, 3, 0, NUMPY),
        Progress("building", "building lib", 0, 3, 0, NUMPY),
        Progress("downloading", "downloaded numpy", 1, 3, NUMPY, NUMPY),
        Progress("building", "built lib", 2, 3, NUMPY, NUMPY),
        Progress("downloading", "Prepared 3 packages in 289ms", 3, 3),
        Progress("installing", "Installed 4 packages in 19ms", 4, 4),
    ]


def test_the_installers_words_are_kept_without_what_we_asked_for() -> None:
    narrator = ProgressReader(lambda _: None)
    for line in LINES.splitlines(keepends=True):
        narrator.hear(line)
    assert narrator.output.startswith("Using Python 3.12.1")
    assert narrator.output.endswith("+ numpy==2.5.5")
    assert "DEBUG" not in narrator.output


def test_endless_output_keeps_its_end() -> None:
    narrator = ProgressReader(lambda _: None)
    for number in range(KEPT_LINES * 2):
        narrator.hear(f"{number}\n")
    assert len(narrator.output.splitlines()) == KEPT_LINES
    assert narrator.output.endswith(str(KEPT_LINES * 2 - 1))


REWORDED = [
    "DEBUG Lacking distribution: numpy==2.5.5\n",
    "Downloading numpy (fifteen MiB)\n",
    "Downloading pandas (1.5.0MiB)\n",
    " Downloaded numpy\n",
    " Downloaded pandas\n",
]
"""Made up: a later uv that names what it lacks, and sizes, in other words."""


def test_reworded_messages_of_uv_cost_the_counts_and_nothing_else() -> None:
    heard: list[Progress] = []
    reader = ProgressReader(heard.append)
    for line in REWORDED:
        reader.hear(line)
    assert [(each.done, each.total, each.bytes_total) for each in heard] == [
        (0, None, None),
        (0, None, None),
        (1, None, None),
        (2, None, None),
    ]


def test_no_total_is_told_that_more_packages_exceed() -> None:
    heard: list[Progress] = []
    reader = ProgressReader(heard.append)
    reader.hear("DEBUG Identified uncached distribution: numpy==2.5.5\n")
    for line in REWORDED[-2:]:
        reader.hear(line)
    assert [(each.done, each.total) for each in heard] == [(1, 1), (2, None)]
