"""What the daemon takes into its registry, as JSON."""

from __future__ import annotations

from .jsontext import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Mapping, Optional

    from .outcome import Definition


def encoded(
    loader: Optional[str],
    definitions: List[Definition],
    problem: Optional[Mapping[str, Any]],
    sources: Mapping[str, str],
    python: str,
    seconds: float,
) -> bytes:
    """`definitions` as they are in the contract, but for `location`; or the problem."""
    content = {"problem": problem} if problem else {"loader": loader, "definitions": definitions}
    common = {"sources": sources, "python": python, "load_seconds": seconds}
    return dumps({**content, **common}).encode()
