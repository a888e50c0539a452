"""The source files of a location: which files are its own, and how they are read past the bytecode
cache.
"""

from __future__ import annotations

import os
import sys
from _blake2 import blake2b
from _frozen_importlib_external import SourceFileLoader
from _thread import get_ident

TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Set, Tuple

    Read = Tuple[Dict[str, str], Set[str]]


def names_in(code: CodeType) -> Set[str]:
    """Every name that some code uses, imports among them."""
    found: Set[str] = set(code.co_names)
    for inner in nested(code):
        found |= names_in(inner)
    return found


def nested(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, type(code)))


DIGEST_BYTES = 16
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
RUNNER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
BUNDLE = os.path.dirname(os.path.dirname(RUNNER)) + os.sep
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_source(path: str) -> bool:
    """Whether a file is the location's: not its environment's, the interpreter's or the bundle's.

    Judged by the folders that installers use, not by `sys.prefix`: projects live inside of
    environments, and /usr is a prefix that holds /usr/src/app.
    """
    return not path.startswith((STANDARD_LIBRARY, BUNDLE)) and not is_installed(path)


def is_installed(path: str) -> bool:
    """Whether an installer put it there."""
    return any(part in path for part in INSTALLED)


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def imported(name: str) -> ModuleType:
    """As an import statement does it: `importlib` would show in tracebacks, and costs time."""
    __import__(name)
    return sys.modules[name]


def compile_sources(
    text_of: Callable[[SourceFileLoader, str, str], bytes],
    compiled: Callable[[CodeType], None],
) -> None:
    """From now on compile sources of the location from their text, never from bytecode.

    `text_of(loader, file, path)` reads it, `compiled` is told what came of it.

    Python takes bytecode for current when the source's size and its time in whole seconds are
    the same: a save within the second would run the old code (CPython issue 75953). The one
    method of the one class is replaced, not a finder put in front: so every way to a source is
    covered, editable installs and modules loaded by path included, and nothing else changes.
    """
    from_bytecode = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        file = self.get_filename(fullname)
        path = os.path.abspath(file)
        if not is_source(path):
            return from_bytecode(self, fullname)
        code = self.source_to_code(text_of(self, file, path), file)
        compiled(code)
        return code

    SourceFileLoader.get_code = get_code  # type: ignore  # on purpose, see above


def read_fresh(folder: Optional[str] = None) -> Read:
    """The same from the disk. The results fill with the digests of what is read, and with the names
    that its code uses. `folder`: where the texts are kept, for runs.
    """
    read: Dict[str, str] = {}
    names: Set[str] = set()

    def text_of(loader: SourceFileLoader, file: str, path: str) -> bytes:
        data = loader.get_data(file)
        read[path] = digest(data)
        if folder is not None:
            keep_text(folder, read[path], data)
        return data

    compile_sources(text_of, lambda code: names.update(names_in(code)))
    return read, names


def keep_text(folder: str, name: str, data: bytes) -> None:
    """A file of that name, whole or not at all. A disk that is full keeps nothing from loading."""
    path = os.path.join(folder, name)
    try:
        if os.stat(path).st_size == len(data):  # else the power was cut before it was written
            return
    except OSError:
        pass
    new = f"{path}.{os.getpid()}.{get_ident()}"
    try:
        with open(new, "wb") as file:
            file.write(data)
        os.rename(new, path)
    except OSError:
        try:  # noqa: SIM105  contextlib would cost milliseconds
            os.unlink(new)
        except OSError:
            pass


def manifest(sources: Mapping[str, str]) -> Dict[str, Mapping[str, str]]:
    """Of what this process has loaded: digests by source, sources by module."""
    modules: Dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(file, str) and os.path.abspath(file) in sources:
            modules[name] = os.path.abspath(file)
    return {"sources": sources, "modules": modules}


RUNNING: Dict[str, List[str]] = {}
"""By path the lines that are run, where these are not those on the disk: in a run."""
IMPORT_MACHINERY = "<frozen importlib"
IN_CODINGS = b"-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_ours(file: str) -> bool:
    """The runner's, or the interpreter's import machinery that it set in motion."""
    return file.startswith((RUNNER, IMPORT_MACHINERY))


def frame_text(file: str, line: int, name: str) -> str:
    """One frame as Python's tracebacks tell it, the source line below it where it can be read."""
    text = source_line(file, line)
    return f'File "{file}", line {line}, in {name}' + (f"\n  {text}" if text else "")


def source_line(file: str, number: int) -> str:
    """Without the space around it; empty where there is none."""
    return "".join(source_lines(file, number, number)).strip()


def source_lines(file: str, first: int, last: int) -> List[str]:
    """In the coding that the file declares in one of its first two lines."""
    if file in RUNNING:
        return [line.rstrip("\n") for line in RUNNING[file][first - 1 : last]]
    coding = "utf-8-sig"
    found: List[str] = []
    if not os.path.isfile(file):  # not a device that never ends
        return found
    try:
        with open(file, "rb") as source:
            for count, line in enumerate(source, 1):
                coding = (coding_in(line) if count <= 2 else "") or coding
                if count >= first:
                    found.append(decoded(line, coding).rstrip("\r\n"))
                if count >= last:
                    break
    except OSError:
        pass
    return found


def coding_in(line: bytes) -> str:
    """What a comment such as `# coding: latin-1` declares, "" for other lines.

    https://peps.python.org/pep-0263/ has it as a regular expression. `re` would cost each start
    milliseconds, and cannot be imported while another thread is in an import.
    """
    if not line.lstrip(b" \t\f").startswith(b"#"):
        return ""
    for after in line.replace(b"coding=", b"coding:").split(b"coding:")[1:]:
        word = after.lstrip(b" \t")
        name = word[: len(word) - len(word.lstrip(IN_CODINGS))]
        if name:
            return name.decode()
    return ""


def decoded(line: bytes, coding: str) -> str:
    try:
        return line.decode(coding, "replace")
    except (LookupError, ValueError):  # no coding, or none of texts: Python refuses the file
        return line.decode("utf-8", "replace")


# --- which files this process writes -----------------------------------------------------------

WRITES = os.O_WRONLY | os.O_RDWR
TARGET = {"open": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.truncate": 0}
"""By audit event (https://docs.python.org/3/library/audit_events.html): which argument is written.

`os.replace` and `shutil` come down to these; what other programs write is not seen.
"""


def note_writes(notes: str, suspects: List[str]) -> None:
    """From now on a line in the file `notes` for each suspect that this process opens to write.

    Only asked for where a file has started several loads: each event of the interpreter costs a
    call then.
    """
    known: Dict[str, str] = {os.path.realpath(path): path for path in suspects}

    def heard(event: str, arguments: Tuple[Any, ...]) -> None:
        at = TARGET.get(event)
        if at is None or not known:
            return
        try:
            if event == "open" and not arguments[2] & WRITES:
                return
            path = os.path.realpath(os.fsdecode(arguments[at]))
            if path in known:
                note(notes, known.pop(path))
        except Exception:  # noqa: BLE001, S110  never in the way of what user code does
            pass

    try:  # noqa: SIM105  contextlib would cost milliseconds
        sys.addaudithook(heard)
    except RuntimeError:
        pass  # another hook does not allow it


def note(notes: str, path: str) -> None:
    descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, os.fsencode(path) + b"\n")
    finally:
        os.close(descriptor)
