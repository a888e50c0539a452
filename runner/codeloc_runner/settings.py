"""What the daemon asks of this runner."""

from __future__ import annotations

from .jsontext import loads

TYPE_CHECKING = False  # `typing` costs milliseconds at each start
if TYPE_CHECKING:
    from typing import Optional


class Settings:
    """One location as its runner sees it; every path absolute."""

    __slots__ = (
        "attribute",
        "kind",
        "location",
        "parent",
        "socket_fd",
        "socket_path",
        "value",
        "working_directory",
    )

    def __init__(self, location: str, text: str) -> None:
        """Read the daemon's JSON. Raises KeyError or ValueError: never a user's mistake."""
        given = loads(text)
        self.location = location
        self.kind: str = given["target"]["kind"]
        self.value: str = given["target"]["value"]
        self.attribute: Optional[str] = given.get("attribute")
        self.working_directory: str = given["working_directory"]
        self.socket_fd: int = given["socket_fd"]
        self.socket_path: str = given["socket_path"]
        self.parent: Optional[int] = given.get("parent")
