"""Sources of the location: read fresh, never from bytecode, each one's digest kept."""

from __future__ import annotations

import os
from _blake2 import blake2b
from _frozen_importlib_external import SourceFileLoader

from .names import names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Dict, Set, Tuple

    Read = Tuple[Dict[str, str], Set[str]]

DIGEST_BYTES = 16
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_source(path: str) -> bool:
    """Whether a file belongs to the location: not to its environment, the interpreter or the kit.

    Judged by the folders that installers use, not by `sys.prefix`: projects live inside of
    environments, and /usr is a prefix that holds /usr/src/app.
    """
    return not path.startswith((STANDARD_LIBRARY, KIT)) and not is_installed(path)


def is_installed(path: str) -> bool:
    """Whether an installer put it there."""
    return any(part in path for part in INSTALLED)


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def read_fresh() -> Read:
    """From now on compile sources of the location from their text.

    The results fill with the digests of what is read, and with the names that its code uses.

    Python takes bytecode for current when the source's size and its time in whole seconds are
    the same: a save within the second would run the old code (CPython issue 75953). The one
    method of the one class is replaced, not a finder put in front: so every way to a source is
    covered, editable installs and modules loaded by path included, and nothing else changes.
    """
    read: Dict[str, str] = {}
    names: Set[str] = set()
    from_bytecode = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        file = self.get_filename(fullname)
        path = os.path.abspath(file)
        if not is_source(path):
            return from_bytecode(self, fullname)
        data = self.get_data(file)
        read[path] = digest(data)
        code = self.source_to_code(data, file)
        names.update(names_in(code))
        return code

    SourceFileLoader.get_code = get_code  # type: ignore  # on purpose, see above
    return read, names
