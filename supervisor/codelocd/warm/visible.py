"""Which variables of a runner its imports can see: those that decide what is imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping

BY_INTERPRETER = ("DYLD_", "LD_", "MALLOC_", "PYTHON")
"""Read before any Python code runs: no code of a location changes what they decide."""

BY_LIBRARIES = (
    "CUDA_",
    "GRPC_",
    "HOME",
    "KMP_",
    "LANG",
    "LC_",
    "MKL_",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "TZ",
)
"""Read by libraries in C, some as they are loaded."""


def visible(variables: Mapping[str, str], read: Collection[str]) -> frozenset[tuple[str, str]]:
    """`read`: the names that imports were seen to read. Equal results may share imports."""
    return frozenset(
        (name, value)
        for name, value in variables.items()
        if name in read or name.startswith(BY_INTERPRETER + BY_LIBRARIES)
    )
