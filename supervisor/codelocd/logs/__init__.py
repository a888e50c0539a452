"""What runners print: the last lines in memory, more of them in rotated files, all to followers."""

from codelocd.logs.book import Logs
from codelocd.logs.lines import Block, Line

__all__ = ["Block", "Line", "Logs"]
