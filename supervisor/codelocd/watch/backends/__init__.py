"""The sources of file events: the kernel's queue, watchdog, or polling."""
