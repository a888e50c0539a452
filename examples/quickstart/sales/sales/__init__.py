"""Orders, cleaned and summed."""
