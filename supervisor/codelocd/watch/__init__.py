"""Which locations are no longer what their files say: file events, judged by content."""

from codelocd.watch.source_watch import SourceWatch
from codelocd.watch.values import Change, Watched

__all__ = ["Change", "SourceWatch", "Watched"]
