"""Runs locations on other machines, through the bridge of an engine. Imported only where the
config has an `[engine]`."""
