"""Every figure that the project promises, measured on the machine it runs on: `make bench`."""
