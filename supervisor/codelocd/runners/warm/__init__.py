"""Runners that start from an interpreter which has imported their packages already."""
