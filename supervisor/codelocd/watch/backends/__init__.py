"""The ways in which a file system tells of changes."""
