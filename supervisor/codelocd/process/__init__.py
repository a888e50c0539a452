"""Child processes: how they start, what they print, how they and their descendants end."""
