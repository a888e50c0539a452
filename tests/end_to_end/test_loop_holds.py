"""How long one thing that a client or a location asks for holds the daemon's loop.

Counted in processor time of the loop's thread, so it does not depend on what else the machine does.
"""

from __future__ import annotations

import pytest

from benchmarks._watched_loop import OTHERS
from benchmarks.loop_holds import ATTACKS, world

BOUND = 50.0
BY_CONFIG = "2,000 locations"
"""The bound does not hold for it: the config is its owner's, who decides how much there is."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_that_is_asked_for_holds_the_loop_for_long() -> None:
    with world(count=20_000) as (attacked, holds):
        found = {}
        for name, attack in ATTACKS.items():
            holds.new()
            attack(attacked)
            own = [each for each in holds.new() if each.what != OTHERS]
            found[name] = max(own, key=lambda each: each.milliseconds, default=None)
        entry = attacked.ask("status", locations=["small"])["locations"][0]
    long = {name: hold for name, hold in found.items() if hold and hold.milliseconds > BOUND}
    long = {name: hold for name, hold in long.items() if BY_CONFIG not in name}
    assert not long, found
    assert entry["state"] == "serving"
