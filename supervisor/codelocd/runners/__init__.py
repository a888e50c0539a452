"""Where runners run, and how they start."""
