"""The daemon: its loop, the application around it, and its control socket."""
