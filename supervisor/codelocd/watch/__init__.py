"""Tells which locations have changed on disk: file events, judged by content."""
