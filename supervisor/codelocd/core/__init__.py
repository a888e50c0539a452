"""What one location does next, and what the registry holds. Pure: no I/O, no clock."""
