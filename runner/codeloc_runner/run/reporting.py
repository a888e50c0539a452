"""The life of a process that tells Dagster how a run ended, where its own could not say so."""

from __future__ import annotations

from ..load.sources import imported
from ..main import leave, prepare_for_user_code
from ..process import hold_to_limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, List, NoReturn

    from .order import ReportOrder


def live(order: ReportOrder, path: List[str], known: AbstractSet[str]) -> NoReturn:
    """In a process that is bound and can print; `path`: what `sys.path` shall be, all of it."""
    hold_to_limits(order.group, order.nice, order.open_files)
    prepare_for_user_code(order, path, known, lambda: None)
    releases: Any = imported(f"{__package__}.dagster_releases")
    imported(f"{__package__}.dagster_storage").remember()
    with releases.instance_opened() as instance:
        report(order, instance)
    leave()


def report(order: ReportOrder, instance: Any) -> None:
    """A run that has ended, or was never recorded, stays as it is."""
    found = instance.get_run_by_id(order.dagster_run)
    if found is None or found.is_finished:
        return
    if order.cancelled or found.status.value == "CANCELING":
        instance.report_run_canceled(found, order.text)
    else:
        instance.report_run_failed(found, order.text)
