"""The runs of a daemon: its queue, its attempts, and what clients hear of them."""
