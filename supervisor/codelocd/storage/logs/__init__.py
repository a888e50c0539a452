"""What runners print: the last lines in memory, more in rotated files, all of them to followers."""
