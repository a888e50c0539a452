"""Packages that break after a fork in ways that no look at the process can tell beforehand."""

from __future__ import annotations

COLD: dict[str, str] = {
    "cudf": "its import makes a CUDA context (github.com/NVIDIA/cudf/issues/4827)",
    "cugraph": "its import makes a CUDA context (github.com/rapidsai/cugraph/issues/3077)",
    "jax": "its runtime is multithreaded (github.com/jax-ml/jax/pull/18989)",
    "jaxlib": "its runtime is multithreaded (github.com/jax-ml/jax/pull/18989)",
    "polars": "a fork breaks its threads (docs.pola.rs/user-guide/misc/multiprocessing)",
    "pycuda": "CUDA cannot be used after a fork (github.com/inducer/pycuda/issues/137)",
    "tensorflow": "its sessions are not fork-safe (github.com/tensorflow/tensorflow/issues/2448)",
    "torch": "CUDA cannot be used after a fork (github.com/pytorch/pytorch/issues/17357)",
}
"""Package → why, with the source that says so. What starts threads, opens sockets and so on at
its import needs no entry: that is noticed by itself. Neither does what breaks only once it has been
used, for a warm interpreter imports and does nothing more (gRPC, OpenMP)."""
