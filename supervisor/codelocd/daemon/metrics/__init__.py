"""What a daemon tells monitoring: its metrics, and whether it lives and is ready."""
