"""Environments by what they hold, kept on disk and shared by all with the same needs."""
