"""Which variables of a runner its imports can see: those that decide what is imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping

PREFIXES = (
    "CUDA_",
    "DYLD_",
    "GRPC_",
    "HOME",
    "KMP_",
    "LANG",
    "LC_",
    "LD_",
    "MALLOC_",
    "MKL_",
    "NUMEXPR_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "TZ",
)
"""Read by the interpreter before any Python code runs, or by libraries in C."""


def visible(variables: Mapping[str, str], read: Collection[str]) -> frozenset[tuple[str, str]]:
    """`read`: the names that imports were seen to read. Equal results may share imports."""
    return frozenset(
        (name, value)
        for name, value in variables.items()
        if name in read or name.startswith(PREFIXES)
    )
