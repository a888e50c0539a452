"""Decides how a location's next runner starts: forked, from a spare, or on its own. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from codelocd.model import StartMethod, StartWish
from codelocd.runners.api import RunnerSpec
from codelocd.runners.warm.profile import ImportProfile, packages

SUSPICIONS = 2
"""Loads that failed after a fork, and then went well without one, until nothing is forked."""


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """`why` completes the sentence "it was started so because …"."""

    method: StartMethod
    why: str


@dataclass(frozen=True, slots=True)
class Divergence:
    """Something that a location's code does, which packages that are there already missed."""

    what: str
    why: str


class StartChoices:
    """How each location's next runner is to be started, by what loads have shown until now.

    `profile(environment)`: what is known of the environment with that key.
    """

    def __init__(self, profile: Callable[[str], ImportProfile], platform: str) -> None:
        self._profile = profile
        self._platform = platform
        self._divergences: dict[str, Divergence] = {}

    def of(self, spec: RunnerSpec) -> MethodChoice:
        if spec.cold is not None:
            return MethodChoice("spawn", f"{spec.cold.why}; it was started again on its own")
        profile = self._profile(spec.environment)
        choice = choose(spec.start_method, spec.location, profile, spec.variables, self._platform)
        divergence = self._divergences.get(spec.location)
        if divergence is None or choice.method == "spawn":
            return choice
        return MethodChoice("spawn", divergence.why)

    def diverged(self, location: str, divergence: Divergence) -> None:
        """A load after a warm start has shown that a cold one may end otherwise."""
        self._divergences[location] = divergence

    def loaded_cold(self, location: str, did: Collection[str]) -> None:
        """A load without a warm start did these things, by the names that divergences have: what
        is not among them, its code does no longer.
        """
        divergence = self._divergences.get(location)
        if divergence is not None and divergence.what not in did:
            del self._divergences[location]


def choose(
    wanted: StartWish,
    location: str,
    profile: ImportProfile,
    variables: Mapping[str, str],
    platform: str,
) -> MethodChoice:
    """The method to try; where it is not possible at the moment, a runner starts on its own."""
    if wanted == "spawn":
        return MethodChoice("spawn", 'the config says start_method = "spawn"')
    if relative := _relative(variables.get("PYTHONPATH", "")):
        return MethodChoice("spawn", f"PYTHONPATH has the relative entry {relative!r}")
    if wanted == "spare":
        return MethodChoice("spare", 'the config says start_method = "spare"')
    obstacle = _obstacle(location, profile, platform)
    if obstacle is not None:
        return MethodChoice("spawn" if wanted == "fork" else "spare", obstacle)
    return MethodChoice("fork", "nothing that it imports forbids it")


def cold_packages(profile: ImportProfile) -> dict[str, str]:
    """What a fork cannot share in this environment, and why."""
    return {**COLD, **profile.cold}


def newly_cold(cold: Mapping[str, str]) -> dict[str, str]:
    """What was found out here, beyond what is known of every environment."""
    return {name: why for name, why in cold.items() if name not in COLD}


def _obstacle(location: str, profile: ImportProfile, platform: str) -> str | None:
    """Why a process of this location cannot be forked."""
    if platform != "linux":
        return f"a process with imported libraries cannot be forked safely on {platform}"
    if len(profile.suspicions) >= SUSPICIONS:
        return f"{profile.suspicions[-1]}, and went well without a fork"
    imports, cold = profile.locations.get(location), cold_packages(profile)
    if imports is None or cold.keys().isdisjoint(packages(imports.modules)):
        return None
    name = next(name for name in packages(imports.modules) if name in cold)
    return f"it imports {name}: {cold[name]}"


def _relative(search_path: str) -> str | None:
    """An entry that means another folder in each working directory."""
    if not search_path:
        return None
    return next((one for one in search_path.split(":") if not one.startswith("/")), None)


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


def at_start(variables: Mapping[str, str], own: Collection[str]) -> dict[str, str]:
    """What a warm interpreter is started with: nothing that is a location's `own`, for each process
    that comes of it shows that in its /proc/PID/environ. But for what is read before any Python
    code runs, which is the same for all that start from there.
    """
    always = BY_INTERPRETER + BY_LIBRARIES
    return {
        name: value
        for name, value in variables.items()
        if name not in own or name.startswith(always)
    }


def visible(variables: Mapping[str, str], read: Collection[str]) -> frozenset[tuple[str, str]]:
    """`read`: the names that imports were seen to read. Equal results may share imports."""
    return frozenset(
        (name, value)
        for name, value in variables.items()
        if name in read or name.startswith(BY_INTERPRETER + BY_LIBRARIES)
    )
