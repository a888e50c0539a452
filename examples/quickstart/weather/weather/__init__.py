"""A Dagster project that knows nothing of codelocd."""
