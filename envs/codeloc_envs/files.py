"""Files: read as people wrote them, replaced as a whole, never seen half-written."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import stat
import time
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from codeloc_envs.problem import EnvironmentProblem, shortage

_NO_FILE = "no regular file"
LARGEST = 64 * 1024 * 1024
"""Bytes of a file that a person may have written; a larger one is not read into memory."""


def read_bytes(path: Path) -> bytes:
    """What a regular file holds; OSError for anything else, for a pipe would wait for a writer, and
    for a file that no person wrote.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, _NO_FILE, str(path))
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def read_text(path: Path, what: str, context: str = "") -> str:
    """The text of `path`; raises EnvironmentProblem that says `what` it is and, in `context`, why.

    A byte order mark is dropped: editors on Windows write one, and no parser here wants it.
    """
    data = read_needed(path, what, context)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f" ({context})" if context else ""
        raise EnvironmentProblem(
            f"{what} {path} is not UTF-8 text (byte {error.start}){where}", inputs=(path,)
        ) from None


def read_needed(path: Path, what: str, context: str = "") -> bytes:
    """The bytes of a file that there has to be; raises EnvironmentProblem as `read_text` does."""
    where = f" ({context})" if context else ""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise EnvironmentProblem(
            f"{what} {path} does not exist{where}; create it or take the reference away",
            inputs=(path,),
        ) from None
    except OSError as error:
        raise EnvironmentProblem(
            f"{what} {path} cannot be read: {error.strerror}{where}",
            inputs=(path,),
            shortage=shortage(error),
        ) from None


def seen_text(path: Path) -> str | None:
    """The text of a file that is looked at for what it may say, None where it cannot be read.

    OSError where the machine lacks what that takes: what a file says then is not known.
    """
    data = seen_bytes(path)
    try:
        return None if data is None else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def seen_bytes(path: Path) -> bytes | None:
    """The same, not decoded."""
    try:
        return read_bytes(path)
    except OSError as error:
        if shortage(error):
            raise
        return None


def seen_source(path: Path) -> str | None:
    """Python's source text for the same purpose, in the coding that it declares (PEP 263).

    What cannot be decoded is replaced: Python itself says what is wrong with it.
    """
    data = seen_bytes(path)
    if data is None:
        return None
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding, "replace")
    except (SyntaxError, LookupError, ValueError):
        text = data.decode("utf-8-sig", "replace")
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """With all that is missing above it, for its owner alone, whatever the umask; OSError.

    A link that leads nowhere is not followed: who set it would decide what is made where.
    """
    if folder.is_dir():
        return
    for each in (*reversed(folder.parents), folder):
        if each == folder or not os.path.lexists(each):
            each.mkdir(mode=mode, exist_ok=True)


def open_for_reading(folder: Path, root: Path) -> None:
    """Let every user read what is in `folder`, and pass those that lead there from `root` on.

    Done once: the folder's own mode, which is set last, says so. Raises OSError.
    """
    below = folder.relative_to(root).parts
    for count in range(len(below)):
        each = root.joinpath(*below[:count])
        each.chmod(each.stat().st_mode | 0o011)
    if folder.stat().st_mode & 0o005 == 0o005:
        return
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):  # a draft that got its name meanwhile
                _open_for_reading(os.path.join(path, name))
    folder.chmod(0o755)


def _open_for_reading(entry: str) -> None:
    mode = os.lstat(entry).st_mode
    if not stat.S_ISLNK(mode):
        readable = 0o055 if mode & 0o100 else 0o044
        os.chmod(entry, stat.S_IMODE(mode) & ~0o022 | readable)


TEMPORARY = ".tmp"
"""The suffix of a file that is being written."""


def read_json(path: Path) -> Any | None:
    """None if the file is missing or holds no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_json(path: Path, data: Any) -> None:
    """Create or replace `path`, and its folder if needed; raises OSError."""
    make_folder(path.parent)
    replace_text(path, json.dumps(data, sort_keys=True))


def replace_text(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Create or replace `path`, in UTF-8: readers see the old text or the new one.

    `mode` less the umask is that of the new file. Raises OSError, and leaves nothing then.
    """
    replace_bytes(path, text.encode(), mode=mode)


def replace_bytes(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """The same for what is encoded already."""
    draft, rest = f"{path}.{os.urandom(4).hex()}{TEMPORARY}", memoryview(data)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(draft, flags, mode)
    try:
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


# --- files of codelocd's own that are damaged --------------------------------------------------

T = TypeVar("T")

SUFFIX = ".damaged"

WRONG = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What reading another shape than was expected raises."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that was set aside: where it stood, and where it is kept. `then`: what holds now."""

    path: Path
    kept: Path
    then: str = ""

    @property
    def text(self) -> str:
        """One line."""
        then = f"; {self.then}" if self.then else ""
        return f"{self.path} was damaged and is kept as {self.kept.name}{then}"


found: list[Damage] = []
"""What this process has set aside, in order."""


def read_record(
    path: Path,
    made: Callable[[Any], T],
    then: str = "",
    decoded: Callable[[bytes], Any] = json.loads,
) -> T | None:
    """What `made` makes of the JSON in a file of ours, None where there is no such file.

    One that is anything else is set aside, and counts as missing. `made` raises one of WRONG for
    another shape. Raises OSError.
    """
    try:
        return made(decoded(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (IsADirectoryError, *WRONG):
        set_aside(path, then)
        return None


def set_aside(path: Path, then: str = "") -> None:
    """Rename the file, so that another can take its place; it is kept for a person to look at."""
    kept = path.with_name(f"{path.name}.{time.time_ns() // 1_000_000}{SUFFIX}")
    with contextlib.suppress(OSError):
        path.replace(kept)
    found.append(Damage(path, kept, then))


def kept_in(*folders: Path) -> list[Damage]:
    """The files in these folders that any process has set aside, with what is known of them."""
    known = {each.kept: each for each in found}
    there = [kept for folder in folders for kept in sorted(folder.glob(f"*{SUFFIX}"))]
    return [known.get(kept) or Damage(_original(kept), kept) for kept in there]


def _original(kept: Path) -> Path:
    return kept.with_name(kept.name.removesuffix(SUFFIX).rpartition(".")[0])


def mapping(data: Any) -> dict[str, Any]:
    """Raises TypeError where JSON is anything but an object."""
    if not isinstance(data, dict):
        raise TypeError
    return data


def texts(data: Any) -> tuple[str, ...]:
    """Raises TypeError where it is anything but a list of strings."""
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise TypeError
    return tuple(data)


def of_type(data: Any, kind: type | tuple[type, ...]) -> None:
    """Raises TypeError for any other type."""
    if not isinstance(data, kind):
        raise TypeError
