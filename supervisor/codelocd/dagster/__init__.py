"""Dagster's own UI and daemon beside the locations, each of them served by a code server of its.

The webserver and the daemon are the stock ones. They find every location through a workspace.yaml
that names one constant path each: a link to the socket of the newest code server.
"""
