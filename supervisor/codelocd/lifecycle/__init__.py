"""What one location does next. Pure: nothing here touches the world.

`step(state, event, now, policy) -> (state, effects)`. The clock is an argument and a deadline is
a field of the state, so there is no timer to cancel. Runners are known by numbers that never
repeat within a location: news of a runner that no longer counts changes nothing.
"""

from codelocd.lifecycle.effects import (
    CancelBuild,
    Effect,
    Explain,
    Inspect,
    Kill,
    Launch,
    Prepare,
    Publish,
    Recall,
    Restore,
    Retire,
    Suspect,
    Withdraw,
)
from codelocd.lifecycle.events import (
    Condemned,
    DeadlinePassed,
    Diverged,
    EnvironmentChosen,
    EnvironmentFailed,
    EnvironmentLost,
    EnvironmentReady,
    Event,
    Exited,
    Launched,
    Loaded,
    LoadFailed,
    PolicyChanged,
    ReloadAsked,
    Remembered,
    RestartAsked,
    SourcesChanged,
    Started,
    Stopped,
)
from codelocd.lifecycle.state import State
from codelocd.lifecycle.transitions import step

__all__ = [
    "CancelBuild",
    "Condemned",
    "DeadlinePassed",
    "Diverged",
    "Effect",
    "EnvironmentChosen",
    "EnvironmentFailed",
    "EnvironmentLost",
    "EnvironmentReady",
    "Event",
    "Exited",
    "Explain",
    "Inspect",
    "Kill",
    "Launch",
    "Launched",
    "LoadFailed",
    "Loaded",
    "PolicyChanged",
    "Prepare",
    "Publish",
    "Recall",
    "ReloadAsked",
    "Remembered",
    "RestartAsked",
    "Restore",
    "Retire",
    "SourcesChanged",
    "Started",
    "State",
    "Stopped",
    "Suspect",
    "Withdraw",
    "step",
]
