"""The warm interpreter: imports what its locations share, then becomes runners without delay."""
