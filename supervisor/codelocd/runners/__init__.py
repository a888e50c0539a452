"""Starts runners and speaks with them."""
