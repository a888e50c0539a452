"""codelocd keeps code locations alive: environments, runners, reloads, one registry."""

__version__ = "0.1.0"
