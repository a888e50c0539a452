"""An engine and its nodes as text for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codelocd.render.text import NOTHING, STATES, Column, Screen, one_line, size, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codelocd.documents.answers import CheckedEngine
    from codelocd.documents.locations import EngineStatus, NodeStatus
    from codelocd.render.text import Cell

OWN_LABEL = "ray.io/node-id"
"""Ray gives each node one, of 56 letters."""
PYTHONS = Column("PYTHONS", 4, least=12)
TITLES = (
    Column("NODE", least=12),
    Column("STATE"),
    Column("RUNNERS", 3, right=True),
    Column("FREE", 2, least=16),
    PYTHONS,
    Column("LABELS", 5, least=12),
    Column("ADDRESS", 6),
)


def engine(found: EngineStatus, screen: Screen) -> str:
    """The `engine status --json` document."""
    where = f" at {found['address']}" if found["address"] else ""
    what = f"{found['kind']}{where}"
    if not found["up"]:
        return f"{what}: out of reach: {one_line(found['why'])}"
    version = f" {found['version']} (Python {found['python']})" if found["version"] else ""
    return "\n".join([f"{what}{version}", nodes(found["nodes"], screen)])


def checked(found: CheckedEngine, screen: Screen) -> str:
    """The `engine check --json` document."""
    token = "with a token" if found["token"] else "without a token"
    tls = "with TLS" if found["tls"] else "without TLS"
    head = f"{found['engine']} {found['version']} (Python {found['python']}), {token}, {tls}"
    skews = [abs(its) for each in found["nodes"] if (its := each["clock_skew"]) is not None]
    clocks = [f"clocks differ by {max(skews):.1f} s at most"] if skews else []
    notes = map(one_line, found["notes"])
    return "\n".join([head, nodes(found["nodes"], screen), *clocks, *notes])


def nodes(found: Sequence[NodeStatus], screen: Screen) -> str:
    """A table of nodes, with their Pythons where these were asked for."""
    shown = [each for each in TITLES if each is not PYTHONS or any(n["pythons"] for n in found)]
    rows = [_row(each) for each in sorted(found, key=lambda its: its["name"])]
    told = [[row[TITLES.index(each)] for each in shown] for row in rows]
    return table(shown, told, screen) if found else "no nodes"


def _row(node: NodeStatus) -> list[Cell]:
    labels = {name: each for name, each in node["labels"].items() if name != OWN_LABEL}
    style = STATES["serving"] if node["state"] == "up" else STATES["failed"]
    return [
        (one_line(node["name"] or node["id"]), "bold"),
        (node["state"], style),
        str(node["runners"]),
        _free(node["resources"]),
        ", ".join(node["pythons"] or ()) or NOTHING,
        one_line(", ".join(f"{k}={v}" for k, v in sorted(labels.items()))) or NOTHING,
        node["address"] or NOTHING,
    ]


def _free(resources: Mapping[str, Mapping[str, float]]) -> str:
    """`1.5/2 cpu, 3.0 GiB/4.0 GiB memory`."""
    told = []
    for name, each in sorted(resources.items()):
        free, total = each.get("free", 0.0), each.get("total", 0.0)
        amounts = (size(int(free)), size(int(total))) if name == "memory" else (free, total)
        shown = [amount if isinstance(amount, str) else f"{amount:g}" for amount in amounts]
        told.append(f"{'/'.join(shown)} {name}")
    return one_line(", ".join(told)) or NOTHING
