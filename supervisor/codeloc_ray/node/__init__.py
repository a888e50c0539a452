"""What runs on a node, in the cluster's Python: it supervises one runner, and keeps the store."""
