"""What Dagster's releases from 1.5 on name and call differently, for one run."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, flock

from ..load.sources import imported
from ..loaders.dagster_facts import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Iterator, Mapping, Optional

    from .order import AttemptOrder

HOME = "DAGSTER_HOME"
CONFIG = "dagster.yaml"


@contextmanager
def instance_opened() -> Iterator[Any]:
    """The instance that DAGSTER_HOME names. Raises what Dagster raises of a wrong configuration."""
    imported("dagster")
    made: Any = sys.modules["dagster"].DagsterInstance
    with making_alone(os.environ.get(HOME, "")):
        opened = made.get()
    with opened as instance:
        yield instance


@contextmanager
def making_alone(home: str) -> Iterator[None]:
    """One process makes the databases of a new instance, and others wait for that: two that do so
    at once spoil them."""
    folder: Optional[int] = None
    try:
        folder = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
        is_new = all(name == CONFIG for name in os.listdir(home))
        flock(folder, LOCK_EX if is_new else LOCK_SH)
    except OSError:
        pass  # Dagster says what is wrong with it; or its file system has no locks
    try:
        yield
    finally:
        if folder is not None:
            os.close(folder)


def pointer_to(target: Any, module: ModuleType, order: AttemptOrder) -> Any:
    """The CodePointer by which another process of Dagster's finds the same definitions."""
    pointers: Any = imported("dagster._core.code_pointer")
    folder = order.working_directory
    if order.kind == "autoload_defs_module":
        return pointers.AutoloadDefsModuleCodePointer(module=order.value, working_directory=folder)
    name = order.attribute or name_in(module, target)
    if order.kind == "python_file":
        return pointers.CodePointer.from_python_file(order.value, name, folder)
    if order.kind == "package":
        return pointers.CodePointer.from_python_package(order.value, name, folder)
    return pointers.CodePointer.from_module(order.value, name, folder)


def name_in(module: ModuleType, target: Any) -> str:
    """Loose assets are one target, which Dagster knows by a name of its own."""
    for name, value in vars(module).items():
        if value is target:
            return name
    discovery: Any = imported("dagster._core.workspace.autodiscovery")
    return str(discovery.LOAD_ALL_ASSETS)


def reconstructable(target: Any, module: ModuleType, order: AttemptOrder) -> Any:
    """The repository as Dagster hands it to other processes. In this one it is what is loaded
    already, and nothing is loaded again."""
    pointer = pointer_to(target, module, order)
    reconstruct: Any = imported("dagster._core.definitions.reconstruct")
    elsewhere = reconstruct.def_from_pointer
    reconstruct.def_from_pointer = lambda one: target if one == pointer else elsewhere(one)
    return reconstruct.ReconstructableRepository(pointer, None, sys.executable)


def remote_origin(location: str, repository: str, job: str) -> Any:
    """What links a run to its job on Dagster's page: by the names of both."""
    try:
        origins: Any = imported("dagster._core.remote_origin")
    except ImportError:  # before 1.11
        origins = older_origins()
    named = getattr(origins, "RemoteRepositoryOrigin", None) or origins.ExternalRepositoryOrigin
    return named(origins.RegisteredCodeLocationOrigin(location), repository).get_job_origin(job)


def older_origins() -> Any:
    try:
        return imported("dagster._core.remote_representation.origin")
    except ImportError:  # before 1.8
        return imported("dagster._core.host_representation.origin")


def created_run(
    instance: Any,
    job: Any,
    plan: Any,
    origin: Any,
    job_code_origin: Any,
    asset_selection: Any,
    asset_check_selection: Any,
    **facts: Any,
) -> Any:
    """The run of `job`, recorded; `facts`: `run_id`, `run_config`, `tags`, and the ids of the
    runs that it repeats."""
    snap: Any = imported("dagster._core.snap")
    names = parameters_of(instance.create_run)
    facts["remote_job_origin" if "remote_job_origin" in names else "external_job_origin"] = origin
    if "asset_graph" in names:
        facts["asset_graph"] = job.asset_layer.asset_graph
    if "asset_job_partitions_def" in names:
        facts["asset_job_partitions_def"] = job.partitions_def
    return instance.create_run(
        job_name=job.name,
        status=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=snap.snapshot_from_execution_plan(plan, job.get_job_snapshot_id()),
        job_snapshot=job.get_job_snapshot(),
        parent_job_snapshot=job.get_parent_job_snapshot(),
        asset_selection=asset_selection,
        asset_check_selection=asset_check_selection,
        resolved_op_selection=None,
        op_selection=None,
        job_code_origin=job_code_origin,
        **facts,
    )


def parameters_of(function: Any) -> Any:
    code = function.__func__.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def assets_job(repository: Any, keys: Any) -> Any:
    """The job that Dagster makes up for these assets; None where it has none for all of them."""
    return repository.get_implicit_job_def_for_assets(keys)


def has_partition(partitions: Any, key: str, instance: Any) -> bool:
    """Whether a PartitionsDefinition has the key."""
    try:
        return bool(_has_partition(partitions, key, instance))
    except Exception as error:
        if isinstance(error, ValueError) or type(error).__name__ == "CheckError":
            return False  # it is no date, where all keys are dates, or has too few dimensions
        raise


def _has_partition(partitions: Any, key: str, instance: Any) -> Any:
    try:
        loading: Any = imported("dagster._core.definitions.partitions.context")
    except ImportError:  # before 1.11
        return partitions.has_partition_key(key, dynamic_partitions_store=instance)
    with loading.partition_loading_context(dynamic_partitions_store=instance):
        return partitions.has_partition_key(key)


def partition_part(job: Any, key: str) -> Mapping[str, Any]:
    """The run config and the tags that the job's own partitions give it."""
    own = fact(job, "partitioned_config")
    if own is None:
        return {"config": {}, "tags": {}}
    config = own.get_run_config_for_partition_key(key)
    return {"config": config, "tags": own.get_tags_for_partition_key(key, job_name=job.name)}


def quieten_console() -> None:
    """Have the logger that jobs without loggers get print what code logs, and not each event: what
    they say is told already."""
    loggers: Any = imported("dagster._loggers")
    console = fact(loggers, "colored_console_logger")
    made = fact(console, "_logger_fn")
    if made is None:
        return

    def quiet(*arguments: Any, **named: Any) -> Any:
        logger = made(*arguments, **named)
        logger.addFilter(is_no_event)
        return logger

    console._logger_fn = quiet


def is_no_event(record: Any) -> bool:
    """Of a record that Dagster logs; it keeps the event in what it adds to one."""
    told = fact(record, "dagster_meta")
    if isinstance(told, dict):
        return told.get("dagster_event") is None
    return fact(record, "dagster_event") is None


def error_of(event: Any) -> Optional[Any]:
    """The SerializableErrorInfo of an event, if it has one."""
    return fact(fact(event, "event_specific_data"), "error")
