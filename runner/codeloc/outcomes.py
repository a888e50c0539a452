"""What came of a run: of each step, of each check, and of all together."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING
from codeloc.errors import RunError

if TYPE_CHECKING:
    from typing import Any, Iterable, Mapping


class CheckOutcome:
    """Of one check. `state`: `passed`, `failed`, or `error` where its function did not say.

    `summary`: why, in a line; `error`: what it raised.
    """

    def __init__(self, name: str, severity: str, blocking: bool) -> None:
        self.name = name
        self.severity = severity
        self.blocking = blocking
        self.state = "error"
        self.seconds = 0.0
        self.summary: str | None = None
        self.error: BaseException | None = None
        self.metadata: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<check {self.name}: {self.state}>"

    def fail(self, error: BaseException) -> None:
        self.state, self.error, self.summary = "error", error, in_a_line(error)

    @property
    def fails_the_run(self) -> bool:
        return self.state != "passed" and self.severity == "error"

    def blocks(self) -> bool:
        """Whether it forbids that anything is made from its asset."""
        return self.blocking and self.state != "passed"

    def item(self) -> dict[str, Any]:
        """As JSON has it, without `error`."""
        return {
            "name": self.name,
            "state": self.state,
            "severity": self.severity,
            "blocking": self.blocking,
            "seconds": self.seconds,
            "summary": self.summary,
            "metadata": self.metadata,
        }


class StepOutcome:
    """Of one asset, or of a job's function. `state`: `succeeded`, `failed`, `skipped`, `cancelled`,
    or `checked` where only the checks of an asset ran. `why` is `exception`, or says why it was
    skipped. `summary`: the error in a line; `error`: the exception itself.
    """

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.state = "skipped"
        self.seconds = 0.0
        self.why: str | None = None
        self.summary: str | None = None
        self.error: BaseException | None = None
        self.metadata: dict[str, Any] = {}
        self.checks: list[CheckOutcome] = []

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}: {self.state}>"

    def fail(self, error: BaseException) -> None:
        self.state, self.why, self.error = "failed", "exception", error
        self.summary = in_a_line(error)

    @property
    def is_blocking(self) -> bool:
        """Whether a check forbids that anything is made from it."""
        return any(check.blocks() for check in self.checks)

    def item(self) -> dict[str, Any]:
        """As JSON has it, without `error`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "state": self.state,
            "seconds": self.seconds,
            "why": self.why,
            "summary": self.summary,
            "metadata": self.metadata,
            "checks": [check.item() for check in self.checks],
        }


class RunResult:
    """`outcomes`: of each step, in the order in which they ran. `values`: by the name of the asset
    or job, what its function returned. `result["mart/orders"]` is one outcome.

    `state`: `succeeded`, `failed` or `cancelled`; `why` of a failure: `exception` or `check`.
    """

    def __init__(
        self,
        outcomes: Iterable[StepOutcome],
        values: Mapping[str, Any],
        *,
        cancelled: bool = False,
        notes: Iterable[str] = (),
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.values = dict(values)
        self.notes = tuple(notes)
        failed = any(each.state == "failed" for each in self.outcomes)
        checks = [check for each in self.outcomes for check in each.checks]
        self.why: str | None = None
        if cancelled:
            self.state = "cancelled"
        elif failed or any(check.fails_the_run for check in checks):
            self.state, self.why = "failed", "exception" if failed else "check"
        else:
            self.state = "succeeded"

    def __repr__(self) -> str:
        return f"<run {self.state}: {', '.join(map(repr, self.outcomes))}>"

    def __getitem__(self, name: str) -> StepOutcome:
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        raise KeyError(name)

    @property
    def succeeded(self) -> bool:
        return self.state == "succeeded"

    def raise_failure(self) -> None:
        """Raise the first exception of the run, or RunError for a check that failed, if any."""
        for outcome in self.outcomes:
            if outcome.error is not None:
                raise outcome.error
            for check in outcome.checks:
                if check.fails_the_run:
                    why = f": {check.summary}" if check.summary else ""
                    message = f'check "{check.name}" of {outcome.name} {check.state}{why}'
                    raise RunError(message) from check.error


def in_a_line(error: BaseException) -> str:
    """`ValueError: the first line of the message`, whatever its class does when it is printed."""
    try:
        text = str(error).strip()
    except Exception:  # noqa: BLE001  user code's
        text = ""
    name = type(error).__qualname__
    return f"{name}: {text.splitlines()[0]}" if text else name
