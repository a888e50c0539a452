"""Runs: what they are, which may start, what becomes of each, and what is kept of them."""
