"""Runs Dagster's own UI and daemon beside the locations, and a code server for each location.

The webserver and the daemon are the stock ones. They find every location through a workspace.yaml
that names one constant path each: a link to the socket of the newest code server.
"""
