"""The process inside a location's interpreter: imports its code, answers for its definitions."""
