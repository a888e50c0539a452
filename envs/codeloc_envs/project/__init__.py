"""What stands around a location's code: projects, locks and lists, each format in a module."""
