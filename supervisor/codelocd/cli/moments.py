"""Points of time as people write them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from codelocd.config import quantities
from codelocd.config.errors import UnfitError


def moment(text: str, now: datetime) -> float:
    """Unix seconds of `10min` before `now`, of `14:30` on its day, of a date, of a date and a time.

    Without a zone the time is that of `now`. Raises ValueError.
    """
    try:
        return (now - timedelta(seconds=quantities.seconds(text))).timestamp()
    except (UnfitError, OverflowError):
        pass
    if ":" in text and "-" not in text.partition(":")[0]:
        text = f"{now:%Y-%m-%d} {text}"
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.astimezone()).timestamp()
