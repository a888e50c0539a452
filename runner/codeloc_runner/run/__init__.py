"""The process of one attempt of a run: its order, the code that is served, what came of it."""
