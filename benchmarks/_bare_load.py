"""What Dagster itself needs to load a location: run by path, with Dagster's own interpreter.

Prints the milliseconds of the last of the modules that are given; those before warm it up.
"""

import gc
import importlib
import os
import sys
from time import perf_counter
from typing import Any


def load(file: str) -> float:
    """Import, resolve every definition, and describe them as Dagster's code server does."""
    external: Any = importlib.import_module("dagster._core.remote_representation.external_data")
    serdes: Any = importlib.import_module("dagster._serdes")
    folder, name = os.path.split(file)
    sys.path[:0] = [folder]
    began = perf_counter()
    module = importlib.import_module(name.removesuffix(".py"))
    repository = module.defs.get_repository_def()
    repository.load_all_definitions()
    serdes.serialize_value(external.RepositorySnap.from_def(repository))
    return 1000 * (perf_counter() - began)


if __name__ == "__main__":
    *small, asked = sys.argv[1:]
    for each in small:
        load(each)
    gc.collect()
    gc.freeze()
    print(load(asked))
