"""Reads an installer's output: how far a build is, and what made it fail."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeloc_envs.problem import without_passwords

if TYPE_CHECKING:
    from codeloc_envs.documents import ProgressDocument

KEPT_LINES = 2000
"""Lines of an installer that are kept for an error: the last ones, where its errors stand."""

_COUNTED = re.compile(r"(Resolved|Prepared|Installed) (\d+) packages?")
_PENDING = re.compile(r"DEBUG Identified uncached distribution: ")
_STARTED = re.compile(r"\s*(Downloading|Building) (\S+)( \(\S+\))?")
_ENDED = re.compile(r"\s*(Downloaded|Built) (\S+)")
_SIZE = re.compile(r"\((\d+(?:\.\d+)?)\s?([KMG]i?)?B\)")
_UNITS = {None: 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "K": 10**3, "M": 10**6, "G": 10**9}
_PHASES = {
    "Resolved": "resolving",
    "Prepared": "downloading",
    "Installed": "installing",
    "Downloading": "downloading",
    "Downloaded": "downloading",
    "Building": "building",
    "Built": "building",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a build: `done` of `total` packages, None where nothing is counted.

    `bytes_done` of `bytes_total` are of the downloads that uv has announced so far: it keeps
    quiet about small ones.

    `phase` is one of `warning waiting replacing resolving creating downloading building
    installing ready`.
    """

    phase: str
    message: str
    done: int | None = None
    total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None

    def to_json(self) -> ProgressDocument:
        return {
            "phase": self.phase,
            "message": without_passwords(self.message),
            "done": self.done,
            "total": self.total,
            "bytes_done": self.bytes_done,
            "bytes_total": self.bytes_total,
        }


Listener = Callable[[Progress], None]


class ProgressReader:
    """Makes progress out of the installer's lines, and keeps the rest of them for an error.

    uv prints no live progress into a pipe: a line per large download and per build, and
    sums. The number of packages it lacks comes from one debug message of its installer, which
    uv may reword in any version: without that message, or where more packages end than it
    announced, there is no total.
    """

    def __init__(self, listen: Listener) -> None:
        self._listen = listen
        self._pending = 0
        self._done = 0
        self._sizes: dict[str, int] = {}
        self._loaded = 0
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)

    @property
    def output(self) -> str:
        return "".join(self._kept).strip()

    def hear(self, line: str) -> None:
        if _PENDING.match(line):
            self._pending += 1
            return
        self._kept.append(line)
        progress = self._counted(line) or self._ended(line) or self._started(line)
        if progress:
            self._listen(progress)

    def _counted(self, line: str) -> Progress | None:
        if found := _COUNTED.match(line):
            count = int(found[2])
            return Progress(_PHASES[found[1]], line.strip(), count, count)
        return None

    def _started(self, line: str) -> Progress | None:
        if found := _STARTED.match(line):
            self._sizes[found[2]] = _bytes(found[3])
            return self._of_pending(found[1], found[2] + (found[3] or ""))
        return None

    def _ended(self, line: str) -> Progress | None:
        if found := _ENDED.match(line):
            self._done += 1
            self._loaded += self._sizes.get(found[2], 0)
            return self._of_pending(found[1], found[2])
        return None

    def _of_pending(self, verb: str, package: str) -> Progress:
        total = self._pending if 0 < self._pending >= self._done else None
        amount = sum(self._sizes.values())
        loaded = (self._loaded, amount) if amount else (None, None)
        return Progress(_PHASES[verb], f"{verb.lower()} {package}", self._done, total, *loaded)


def _bytes(text: str | None) -> int:
    """Of ` (11.9MiB)`; 0 where no size is said."""
    found = _SIZE.search(text or "")
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


# Their messages are prose, but stable prose; each rule has a test that runs the real thing.
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


_BUILD_BELOW = "; the build's own output is below"


def _rule(pattern: str, say: Callable[[re.Match[str]], str]) -> Rule:
    return re.compile(pattern, re.DOTALL), say


_RULES: tuple[Rule, ...] = (
    _rule(
        r"No space left on device",
        lambda _: "the disk is full: free some space, or `codelocd env prune`",
    ),
    _rule(
        r"(?:Hash mismatch for `|DO NOT MATCH THE HASHES.*? with them\. )([^`\s]+)",
        lambda m: (
            f"{m[1]}: what the index serves does not match its hash; "
            "update the hash, or find out why the file changed"
        ),
    ),
    _rule(
        r"An index(?: URL)? \((\S+)\) (?:could not be queried due to a lack of valid "
        r"authentication credentials \((401)|returned a (403))",
        lambda m: (
            f"the index {m[1]} refuses access ({m[2] or m[3]}): "
            "correct its address, or its user and password"
        ),
    ),
    _rule(  # uv looks for the workspace of a project upwards, and has no option to leave that
        r"failed to read from file `([^`]+/pyproject\.toml)`: stream did not contain valid UTF-8",
        lambda m: (
            f"{m[1]} is not UTF-8 text, and uv has to read it; save it as UTF-8, or add the line "
            "[tool.uv.workspace] to the project's own pyproject.toml: uv then looks no further"
        ),
    ),
    _rule(
        r"failed to read from file `([^`]+)`: stream did not contain valid UTF-8",
        lambda m: f"{m[1]} is not UTF-8 text, and uv has to read it; save it as UTF-8",
    ),
    _rule(
        r"HTTP status (?:server|client) error \((\d+[^)]*)\) for url \((\S+?)\)",
        lambda m: f"{m[2]} answers {m[1]}; check the address, or try again later",
    ),
    _rule(
        r"Failed to build `([^`]+)`",
        lambda m: f"{m[1].split(' @ ')[0]} could not be built from source{_BUILD_BELOW}",
    ),
    _rule(
        r"The build backend returned an error",
        lambda _: f"a requirement could not be built from source{_BUILD_BELOW}",
    ),
    _rule(
        r"Failed to fetch: `?(\S+?)`?\s.*(?:error sending request|dns error|timed out)",
        lambda m: f"no network: nothing answers at {m[1]}; check the connection or the index",
    ),
    _rule(
        r"Network connectivity is disabled.*?: (\S+)",
        lambda m: f"no network, and not in the cache: {m[1]}",
    ),
    _rule(
        r"current Python version \(([\d.]+)\) does not satisfy Python(\S+?)[,\s]",
        lambda m: (
            f"a requirement needs Python {m[2]}, this environment has {m[1]}; "
            "ask for another Python or another version"
        ),
    ),
    _rule(
        rf"Because ({_NAME}) was not found in the (?:package registry|cache|provided)",
        lambda m: f"no such package: {m[1]}; check its name, or the index",
    ),
    _rule(
        rf"Because there (?:is|are) no versions? of ({_NAME})\s*(\S*?) and",
        lambda m: (
            f"no version of {m[1]} fits {m[1]}{m[2]}; change the requirement"
            if m[2]
            else f"the index has no version of {m[1]}; check its name, or the index"
        ),
    ),
    _rule(
        rf"Because only (?:the following versions of )?({_NAME})\S* (?:is|are) available.*?"
        r"(?:you require|depends on) (\1[<>=!~\[]\S*?),? ",
        lambda m: f"no version of {m[1]} fits {m[2]}; change the requirement",
    ),
    _rule(
        rf"Because (?:all versions of )?({_NAME})(\S*) (?:has|have) no "
        r"(?:wheels|source distribution|usable wheels)",
        lambda m: f"{m[1]}{m[2]} has nothing that fits this Python and platform",
    ),
    _rule(
        r"Because (.+?), we can conclude(?:.*And because (.+?), we can conclude)?",
        lambda m: f"the requirements contradict each other: {'; '.join(filter(None, m.groups()))}",
    ),
    _rule(
        r"No matching distribution found for ([^\s;]+)",
        lambda m: f"no such package or version: {m[1]}; check the requirement, or the index",
    ),
    _rule(
        r"Cannot install (.+?) because these package versions have conflicting dependencies",
        lambda m: f"the requirements contradict each other: {m[1]}",
    ),
    _rule(
        r"Hashes are required in --require-hashes mode, but they are missing from some.*?\) "
        r"(\S+) --hash",
        lambda m: f"{m[1]} has no hash; where one requirement has a hash, each needs one",
    ),
    _rule(
        r"In --require-hashes mode, all requirements must have their versions pinned with ==.*?: "
        r"(\S+) from \S+ \(from (?:\S+->)?-r (.+?) \(line (\d+)\)\)",
        lambda m: (
            f"{m[2]}, line {m[3]}: {m[1]} has no hash, or no version with ==; "
            "where one requirement has a hash, each needs both"
        ),
    ),
    _rule(
        r"Distribution not found at: (\S+)",
        lambda m: f"nothing to install at {m[1]}; paths in requirements start at their folder",
    ),
)


_BUILD = re.compile(
    r"^\s+((?:[A-Za-z_][\w.]*(?:Error|Exception|Exit)|error|fatal error): .+)$", re.M
)
"""How a build says what stopped it: the last exception, or the compiler's own error."""
_PROGRESS = re.compile(
    r"^(?:DEBUG|TRACE|INFO) |^\s*(?:Using Python|Resolved|Prepared|Downloading|Downloaded|Building"
    r"|Built|Updating|Updated|Creating|Looking in|Collecting|Requirement already|Using cached) "
)
"""What an installer tells of its work, before it says what went wrong."""


_CONCLUSION = re.compile(r"\s*(?:error|ERROR): |\s*× ")
_EMPTY = "does not contain any dependencies"
"""A warning of uv's about a file of ours that holds what the config adds: mostly nothing."""


def explain(output: str) -> str:
    """The one line of an installer's failure that names the culprit.

    One line for `output`, the installer's stderr; its own first error if no rule knows it.
    """
    text = _flat(output)
    for pattern, say in _RULES:
        found = pattern.search(text)
        if found:
            return _with_build(say(found), output)
    return _first_error(output)


def expected_digests(output: str) -> list[str]:
    """Of a file that had another hash than was asked for: the digests that it might have had."""
    found = re.search(
        r"(?:Hash mismatch for|DO NOT MATCH THE HASHES).*?Expected:? (.*?) (?:Computed:|Got )",
        _flat(output),
    )
    return re.findall(r"[0-9a-f]{32,}", found[1]) if found else []


def conclusion(output: str) -> str:
    """`output` without what leads up to the error: the conclusion first, warnings last."""
    lines = output.splitlines()
    kept = [line for line in lines if not _PROGRESS.match(line)]
    begin = next((at for at, line in enumerate(kept) if _CONCLUSION.match(line)), 0)
    warnings = [line for line in kept[:begin] if _EMPTY not in line]
    return "\n".join([*kept[begin:], *warnings] or lines).strip("\n")


def _with_build(said: str, output: str) -> str:
    errors = _BUILD.findall(output)
    if not said.endswith(_BUILD_BELOW) or not errors:
        return said
    return f"{said.removesuffix(_BUILD_BELOW)}: {errors[-1][:300]}"


def _first_error(output: str) -> str:
    """uv's `error:` line and its last `cause:`, which is the most precise."""
    errors = re.findall(r"^(?:error|ERROR): (.+)$", output, re.MULTILINE)
    causes = re.findall(r"^\s+cause: (.+)$", output, re.MULTILINE)
    said = [*errors[:1], *causes[:1]]
    return ": ".join(said) if said else "the installer failed; its own output is below"


def _flat(text: str) -> str:
    """Older versions of uv wrap their messages at the width of a terminal."""
    return " ".join(text.split())
