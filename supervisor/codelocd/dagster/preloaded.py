"""What a code server imports beyond `import dagster`, for the interpreters that become one."""

from __future__ import annotations

MODULES = (
    "dagster._cli",
    "dagster._grpc.server",
    "dagster._core.instance.factory",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._utils.test.definitions",
    "dagster_postgres",
    "dagster_mysql",
    "grpc._interceptor",
    "grpc._server",
    "upath.implementations.local",
)
"""Named, not learned: the modules of 1,490 in a serving process that nothing else brings. Those
that a release does not have, or an environment, are passed over. Not `dagster.__main__`: to import
that is to run it."""

BESIDE = {"dagster": MODULES}
"""Preloaded in fork servers whose locations import dagster."""
