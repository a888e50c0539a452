"""The Pythons of this machine, and which of them fits."""
