"""JSON that every browser can read, whatever bytes user code put into its names and lines."""

from __future__ import annotations

import json
from typing import Any


def to_json(document: Any) -> bytes:
    """UTF-8; a half of a surrogate pair, which UTF-8 has not, becomes U+FFFD."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return whole.encode()
