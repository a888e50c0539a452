"""What one daemon keeps on disk, and where."""
