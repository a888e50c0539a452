"""The page: a web server beside the daemon, and a client of its control socket like any other."""
