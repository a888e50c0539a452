"""What the engine's environment holds. Read by the daemon, so it imports nothing."""

REQUIREMENTS = (
    "ray=={version}",
    "msgpack>=1.1",
    "packaging>=26.1",
    "uv>=0.13",
    "virtualenv>=21",
)
"""`version` is the cluster's. All but Ray and msgpack are sent on to the nodes, which build
environments with them: so these are of the cluster's Python, too."""

OLDEST_PYTHON = (3, 11)
"""Of a cluster: `codeloc_envs`, which builds on its nodes, needs it."""
