"""Releases: trees of files that are copied once, named by their content, and never change."""
