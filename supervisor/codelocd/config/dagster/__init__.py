"""Dagster's own formats, read as they are."""
