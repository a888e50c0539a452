"""The load of a location in its runner: imports, the snapshot, and the report of a failure."""
