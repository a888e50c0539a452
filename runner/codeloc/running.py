"""Carries out one attempt of a run: one function after the other, in this process."""

from __future__ import annotations

from time import perf_counter

from codeloc._typing import TYPE_CHECKING
from codeloc.arguments import key_text
from codeloc.context import RunContext, RunFacts
from codeloc.errors import Cancelled
from codeloc.functions import CONTEXT, all_parameters_of, called, innermost
from codeloc.judgement import judge
from codeloc.open_resources import CallGuard, OpenResources
from codeloc.outcomes import CheckOutcome, RunResult, StepOutcome
from codeloc.parameters import given_values
from codeloc.plan import RunRequest, Step, plan, refuse_unknown_values, upstream_of
from codeloc.values import IO, StoreWithIo, ValueStore

if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

    from codeloc.arguments import Key
    from codeloc.assets import AssetCheckDefinition
    from codeloc.definition import FunctionDefinition
    from codeloc.namespace import Namespace

    AnyFunction = FunctionDefinition[..., Any]
    Call = Callable[[], Any]


class RunListener:
    """Hears what happens, as it happens; each method is here to be overridden."""

    def planned(self, steps: list[Step]) -> None:
        """Before the first of them."""

    def started(self, outcome: StepOutcome) -> None: ...

    def finished(self, outcome: StepOutcome) -> None:
        """A step, without its checks; a resource whose end failed is one, too."""

    def checked(self, outcome: StepOutcome, check: CheckOutcome) -> None: ...

    def noted(self, text: str) -> None:
        """What is no failure, and should be known."""


class UncallableError(TypeError):
    """A function of a kind that no run can call."""


class Execution:
    """One attempt. `keeps`: values stay after their last use, to be looked at."""

    def __init__(
        self,
        namespace: Namespace,
        request: RunRequest,
        *,
        facts: RunFacts,
        given: Mapping[str, Any] | None = None,
        store: ValueStore | None = None,
        listener: RunListener | None = None,
        guard: CallGuard | None = None,
        keeps: bool = True,
    ) -> None:
        """`given`: values by name that come before those that are stored."""
        self._namespace = namespace
        self._request = request
        self._facts = facts
        self._given = dict(given or {})
        self._listener = listener or RunListener()
        self._guard = guard or CallGuard()
        self._keeps = keeps
        self._resources = OpenResources(namespace.contents.resources, facts, self._guard)
        self._store = store or ValueStore()
        if IO in namespace.contents.resources:
            self._store = StoreWithIo(lambda: self._resources.value(IO))
        self._values: dict[Key, Any] = {}
        self._made: dict[str, Any] = {}
        self._outcomes: list[StepOutcome] = []
        self._notes: list[str] = []
        self._lost: set[Key | None] = set()
        self._cancelled = False
        self._upstream = upstream_of(namespace)
        self._taken = {key for bound in namespace.bound.values() for key in bound.assets}

    def run(self) -> RunResult:
        """Raises RunError before anything has run, and KeyboardInterrupt and its like."""
        refuse_unknown_values(self._namespace, self._given)
        steps = plan(self._namespace, self._request, self._is_stored)
        self._listener.planned(steps)
        last_uses = self._last_uses(steps)
        try:
            for number, step in enumerate(steps):
                self._outcomes.append(self._step(step))
                for key in [key for key in self._values if last_uses.get(key, -1) <= number]:
                    del self._values[key]
        finally:
            self._close()
        cancelled = self._cancelled or self._guard.cancelled
        return RunResult(self._outcomes, self._made, cancelled=cancelled, notes=self._notes)

    def _is_stored(self, key: Key) -> bool:
        return key_text(key) in self._given or self._store.has(key)

    def _last_uses(self, steps: list[Step]) -> dict[Key, int]:
        return {
            key: number
            for number, step in enumerate(steps)
            for function in step.functions
            for key in self._namespace.bound[function].assets
        }

    # --- steps ----------------------------------------------------------------------------------

    def _step(self, step: Step) -> StepOutcome:
        key, definition = step.key, step.definition
        outcome = StepOutcome(definition.kind, definition.name)
        outcome.why = self._obstacle(definition, key)
        if outcome.why is not None:
            self._lost.add(key)
            self._listener.finished(outcome)
            return outcome
        self._listener.started(outcome)
        began = perf_counter()
        if step.makes:
            try:
                self._try(outcome, lambda: self._make(definition, key, outcome))
            except BaseException as error:  # an interrupt: it is told, and goes on
                outcome.fail(error)
                self._listener.finished(outcome)
                raise
        else:
            outcome.state = "checked"
        outcome.seconds = perf_counter() - began
        self._listener.finished(outcome)
        if outcome.state in ("succeeded", "checked"):
            for check in step.checks:
                self._check(outcome, check)
        if outcome.state in ("failed", "cancelled") or outcome.is_blocking:
            self._lost.add(key)
        return outcome

    def _obstacle(self, definition: AnyFunction, key: Key | None) -> str | None:
        """Why a step is left out."""
        if self._cancelled or self._guard.cancelled:
            self._cancelled = True
            return "the run was cancelled"
        taken = self._namespace.bound[definition].assets
        for above in taken if key is None else self._upstream[key]:
            if above in self._lost:
                return self._told_loss(key_text(above))
        return None

    def _told_loss(self, name: str) -> str:
        outcome = next(each for each in self._outcomes if each.name == name)
        blocking = next(filter(CheckOutcome.blocks, outcome.checks), None)
        if blocking:
            return f"check {blocking.name} of {name} blocks"
        return f"{name} {outcome.state}" if outcome.state != "skipped" else f"{name} was skipped"

    def _try(self, outcome: StepOutcome | CheckOutcome, call: Call) -> None:
        """Whatever the user's function raises becomes a part of the outcome."""
        try:
            call()
        except Cancelled:
            self._cancelled = True
            if isinstance(outcome, StepOutcome):
                outcome.state = "cancelled"
            else:
                outcome.summary = "the run was cancelled"
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever user code raises
            outcome.fail(error)

    def _make(self, definition: AnyFunction, key: Key | None, outcome: StepOutcome) -> None:
        context, values = self._arguments(definition, key)
        outcome.metadata = context.metadata
        refuse_generators(definition)
        value = self._guard.call(lambda: called(definition.function, values))
        if key is not None:
            self._keep(key, value, context)
        if self._keeps:
            self._made[definition.name] = value
        outcome.state = "succeeded"

    def _keep(self, key: Key, value: Any, context: RunContext) -> None:
        self._values[key] = value
        taken = key in self._taken
        complaint = self._guard.call(lambda: self._store.store(key, value, context, taken))
        if complaint:
            note = f"the value of {key_text(key)} is not stored for later runs: {complaint}"
            self._notes.append(note)
            self._listener.noted(note)

    def _check(self, outcome: StepOutcome, definition: AssetCheckDefinition[..., Any]) -> None:
        if self._cancelled or self._guard.cancelled:
            return
        check = CheckOutcome(definition.name, definition.severity, definition.blocking)
        outcome.checks.append(check)
        began = perf_counter()

        def ask() -> None:
            context, values = self._arguments(definition, definition.key)
            check.metadata = context.metadata
            refuse_generators(definition)
            judge(check, lambda: self._guard.call(lambda: called(definition.function, values)))

        self._try(check, ask)
        check.seconds = perf_counter() - began
        self._listener.checked(outcome, check)

    def _arguments(
        self, definition: AnyFunction, key: Key | None
    ) -> tuple[RunContext, dict[str, Any]]:
        """Of a call, by name; and the context, whether it is among them or not."""
        bound = self._namespace.bound[definition]
        params = given_values(definition.function, bound.options, self._request.params)
        context = RunContext(self._facts, definition, key, params)
        values = dict(params)
        values.update({each[-1]: self._value(each, definition) for each in bound.assets})
        values.update({name: self._resources.value(name) for name in bound.resources})
        if any(each.name == CONTEXT for each in all_parameters_of(definition.function)):
            values[CONTEXT] = context
        return context, values

    def _value(self, key: Key, taker: AnyFunction) -> Any:
        """Of an asset: as it was made in this run, as it was given, or loaded, once."""
        if key not in self._values:
            name = key_text(key)
            context = RunContext(self._facts, self._definition(key) or taker, key)
            if name in self._given:
                self._values[key] = self._given[name]
            else:
                self._values[key] = self._guard.call(lambda: self._store.load(key, context))
        return self._values[key]

    def _definition(self, key: Key) -> AnyFunction | None:
        assets = self._namespace.contents.assets
        return next((asset for asset in assets if asset.key == key), None)

    def _close(self) -> None:
        for name, error in self._resources.close():
            outcome = StepOutcome("resource", name)
            if isinstance(error, Cancelled):
                self._cancelled = True
                outcome.state = "cancelled"
            else:
                outcome.fail(error)
            self._outcomes.append(outcome)
            self._listener.finished(outcome)


GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200
"""Of `co_flags`, as the module `inspect` names them."""


def refuse_generators(definition: AnyFunction) -> None:
    """Raises UncallableError for a function whose call would run nothing of it."""
    if refuse_async(definition) & GENERATOR:
        raise UncallableError(f"{definition} yields: return the value, a list of them for instance")


def refuse_async(definition: AnyFunction) -> int:
    """Raises UncallableError; else the flags of its code."""
    flags = getattr(getattr(innermost(definition.function), "__code__", None), "co_flags", 0)
    if flags & (COROUTINE | ASYNC_GENERATOR):
        raise UncallableError(f"{definition} is async: call asyncio.run() in a plain function")
    return int(flags)
