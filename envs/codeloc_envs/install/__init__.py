"""Resolving, creating and filling an environment with uv, or with pip."""
