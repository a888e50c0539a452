"""Reads the files that describe an environment: projects, locks and lists, each format in a
module."""
