"""What keys do to runs in the terminal view: choose, cancel, run again, start. Pure."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from codelocd_top import run_rows
from codelocd_top.model import Said
from codelocd_top.run_model import RUN_PANES, AskStartable, RunAct, RunQuestion, TypedRun

if TYPE_CHECKING:
    from codelocd_top.model import Order, Pressed, TopModel
    from codelocd_top.run_model import Runnable

    Result = tuple[TopModel, tuple[Order, ...]]

BY = {"kind": "top"}
"""What a run says of who asked for it."""
PARAM, TAG, CONFIG = "--param", "--tag", "--run-config"
"""What may be typed besides names, as in a command."""
PAIRS = (PARAM, TAG)
SHOWN = 3
"""Names that stand beside what is typed."""


def turned(model: TopModel) -> TopModel:
    """With runs as rows, or with locations where they are."""
    if model.table == "runs":
        return model.at_locations()
    if not model.knows_runs:
        return _saying(model, "this daemon knows nothing of runs")
    there = run_rows.order(model)
    return model.at_run(model.run if model.run in there else next(iter(there), None))


def press(model: TopModel, key: str) -> Result | None:
    """What the key does where the rows are runs; None: what it does everywhere."""
    match key:
        case "s":
            return replace(model, run_pane="steps"), ()
        case "p":
            return replace(model, run_pane="steps"), ()
        case "o":
            return replace(model, run_pane="output"), ()
        case "tab" | "shift+tab":
            other = RUN_PANES[1 - RUN_PANES.index(model.run_pane)]
            return replace(model, run_pane=other), ()
        case "c":
            return _asking(model, "run_cancel"), ()
        case "a":
            return _asking(model, "run_retry"), ()
        case "r" | "R" | "e" | "t" | "<" | ">":
            return model, ()
    return None


def moved_by(model: TopModel, by: int) -> TopModel:
    """With the cursor so many rows further down; as far as there are rows."""
    there = run_rows.order(model)
    if not there:
        return model.at_run(None)
    at = there.index(model.run) if model.run in there else 0
    return moved_to(model, there[min(max(at + by, 0), len(there) - 1)])


def moved_to(model: TopModel, run: int) -> TopModel:
    return replace(model.at_run(run), moved=model.now)


def _saying(model: TopModel, text: str, style: str | None = "yellow") -> TopModel:
    return replace(model, said=Said(text, style), said_at=model.now)


def refusal(model: TopModel) -> str | None:
    """Why nothing can be ordered now."""
    if model.lost is not None:
        return "the daemon does not answer"
    if not model.may_order:
        return "you may only look: the daemon belongs to another user"
    return None if model.knows_runs else "this daemon knows nothing of runs"


def _asking(model: TopModel, verb: str) -> TopModel:
    run, why = model.chosen_run, refusal(model)
    if why or run is None:
        return _saying(model, why or "no run is selected")
    if verb == "run_retry":
        if run_rows.is_live(run):
            return _saying(model, f"run {run['id']} still goes on; c cancels it")
        if run["by"].get("kind") == "dagster":
            return _saying(model, "Dagster has launched it: re-execute it on Dagster's page")
        return replace(model, mode="question", question=RunQuestion("run_retry", run["id"]))
    if not run_rows.is_live(run):
        return _saying(model, f"run {run['id']} has ended")
    question = RunQuestion("run_cancel", run["id"], kill=bool(run.get("stopping")))
    return replace(model, mode="question", question=question)


def asked(question: RunQuestion, model: TopModel) -> str:
    """The question in words."""
    run = model.runs.get(question.run)
    name = f"run {question.run}{f' ({run_rows.name_of(run)})' if run else ''}"
    if question.verb == "run_retry":
        return f"run {name} again?  y/n   a new run with the same parameters"
    if question.kill:
        return f"kill {name}?  y/n   at once, with all that it has started"
    return f"cancel {name}?  y/n   its code is told, and killed if it goes on"


def answered(model: TopModel, question: RunQuestion) -> Result:
    """The answer was yes."""
    more = {"kill": True} if question.kill else {}
    by = {"by": BY} if question.verb == "run_retry" else {}
    act = RunAct(question.verb, f"run {question.run}", {"id": question.run, **more, **by})
    word = "run again" if by else "kill" if question.kill else "cancel"
    return _saying(model, f"{word} {act.what}…", None), (act,)


# --- starting ----------------------------------------------------------------------------------


def begin_start(model: TopModel) -> Result:
    """From now on it is typed what is to be run."""
    why = refusal(model)
    if why:
        return _saying(model, why), ()
    return replace(model, mode="start", typed="", candidate=0), (AskStartable(),)


def wished(text: str) -> TypedRun:
    """What is typed, as `codelocd run` has it: names, parameters also as `NAME=VALUE` alone. Quotes
    as in a shell."""
    try:
        found = shlex.split(text)
    except ValueError:  # a quote is still open
        found = text.split()
    names, given = list[str](), {each: dict[str, str]() for each in PAIRS}
    option: str | None = None
    config: str | None = None
    for word in found:
        if option is None and word.startswith("-"):
            option, _, word = word.partition("=")
            if not word:
                continue
        name, equals, value = word.partition("=")
        if option == CONFIG:
            config = word
        elif option in PAIRS or (option is None and equals):
            given[option or PARAM][name] = value
        elif option is None:
            names.append(word)
        option = None
    return TypedRun(tuple(names), given[PARAM], given[TAG], config)


def candidates(model: TopModel) -> list[Runnable]:
    """What has the last name that is typed in its own; of the selected location first. After other
    names it is an asset of the same location."""
    names = wished(model.typed).names
    wanted = names[-1].casefold() if names else ""
    found = [each for each in model.startable if wanted in str(each).casefold()]
    if names[:-1]:
        first = {each.location for each in model.startable if _is(each, names[0])}
        found = [each for each in found if each.is_asset and each.location in first]
    return sorted(found, key=lambda each: (each.location != model.selected, each))


def _is(asset: Runnable, name: str) -> bool:
    return asset.is_asset and name in (asset.name, str(asset))


def typed(model: TopModel, event: Pressed) -> Result:
    """A key while it is typed what to run."""
    there = candidates(model)
    match event.key:
        case "escape":
            return replace(model, mode="table"), ()
        case "backspace":
            return replace(model, typed=model.typed[:-1], candidate=0), ()
        case "ctrl+u":
            return replace(model, typed="", candidate=0), ()
        case "up" | "down":
            step = 1 if event.key == "down" else -1
            at = (model.candidate + step) % len(there) if there else 0
            return replace(model, candidate=at), ()
        case "enter":
            return _start(replace(model, mode="table"), there)
    if event.character and event.character.isprintable():
        return replace(model, typed=model.typed + event.character, candidate=0), ()
    return model, ()


def _start(model: TopModel, there: list[Runnable]) -> Result:
    typed_run = wished(model.typed)
    names, unfit = typed_run.names, typed_run.unfit
    if unfit is not None:
        return _saying(model, unfit), ()
    if not there:
        what = names[-1] if names else ""
        return _saying(model, f"no job and no asset of that location is called {what!r}"), ()
    last = there[min(model.candidate, len(there) - 1)]
    chosen = [last.name]
    for name in reversed(names[:-1]):
        found = [each for each in model.startable if _is(each, name)]
        here = [each for each in found if each.location == last.location]
        if not here:
            return _saying(model, f"no asset of {last.location} is called {name!r}"), ()
        chosen.insert(0, here[0].name)
    params = {
        "location": last.location,
        "repository": last.repository,
        "names": chosen,
        **typed_run.given(),
        "by": BY,
    }
    what = f"{last.location}/{', '.join(chosen)}"
    return _saying(model, f"run {what}…", None), (RunAct("run", what, params),)


def start_line(model: TopModel) -> str:
    """What is typed, and what `Enter` would run."""
    there = candidates(model)
    names = [_named(each, there) for each in there[model.candidate :]]
    more = f"  and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    found = f"▸ {'  '.join(names[:SHOWN])}{more}" if names else "no job and no asset has that name"
    return f"run {model.typed}█  {found}   ↵ runs the first, ↓ the next, NAME=VALUE, --tag, Esc"


def _named(one: Runnable, there: list[Runnable]) -> str:
    """With its repository where another one has the same name."""
    same = [each for each in there if (each.is_asset, str(each)) == (one.is_asset, str(one))]
    return f"{one} ({one.repository})" if len(same) > 1 else str(one)
