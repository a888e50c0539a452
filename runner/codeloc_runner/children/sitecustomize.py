"""Makes `codeloc` importable in the children of a runner: Python imports this file as it starts.

The name is Python's own (see its module `site`). The folder stands first in PYTHONPATH, leaves
`sys.path` here, and gives way to the `sitecustomize` that there would be without it. Any Python may
be a child, so this is valid for each; those before 3.8, which cannot run `codeloc`, are left alone.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def begin():  # type: () -> None
    """Load `codeloc_finder` by its path: the bundle is on no path here."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import spec_from_file_location

    file = os.path.join(os.path.dirname(HERE), "codeloc_finder.py")
    spec = spec_from_file_location("_codeloc_finder", file)
    assert spec is not None
    assert spec.loader is not None
    finder = module_from_spec(spec)
    spec.loader.exec_module(finder)
    finder.begin_child()


sys.path[:] = [entry for entry in sys.path if entry != HERE]
sys.path_importer_cache.pop(HERE, None)
if sys.version_info >= (3, 8):
    try:  # noqa: SIM105  a child starts whatever has become of the bundle
        begin()
    except Exception:  # noqa: BLE001, S110
        pass
del sys.modules[__name__]
import sitecustomize  # type: ignore  # noqa: E402, F401  the other, if there is one; `site` passes over an ImportError
