"""The one load of a runner: what it imports, what it tells of it, what it says when it fails."""
