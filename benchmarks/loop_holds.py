"""The longest time for which something that a client or a location asks for holds the daemon's
loop, in processor time. A program of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._daemon import Daemon, folder, running
from benchmarks._watched_loop import OTHERS, PROGRAM, Hold, holds
from codelocd.client import Client
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import pack, request

SMALL = """\
from codeloc import Definitions, asset
@asset
def one(): ...
defs = Definitions(assets=[one])
"""
MANY = """\
from codeloc import Definitions, asset
def make(n):
    @asset(key=[f"k{n}"], deps=[f"k{n - 1}"] if n else [], group="GROUP")
    def made(): ...
    return made
defs = Definitions(assets=[make(n) for n in range(COUNT)])
"""
HEAVY = """\
from codeloc import Definitions, asset
def make(n):
    @asset(key=[f"k{n}"], description="x" * SIZE, metadata={"m": [["GROUP"]] * 10000})
    def made(): ...
    return made
defs = Definitions(assets=[make(n) for n in range(50)])
"""
BODY = """\
import gc, json
methods = next(each for each in gc.get_objects() if type(each).__name__ == "Methods")
good = type(methods)._served
def served(self):
    outcome = good(self)
    body = json.loads(outcome.body)
    body["definitions"][0]["description"] = "TEXT" * SIZE
    outcome.body = json.dumps(body).encode()
    return outcome
type(methods)._served = served
"""
LINES = """\
for number in range(110_000):
    print(number, "x" * 190)
"""
CONFIG = """\
[location.small]
python_file = "small.py"
[location.large]
python_file = "large.py"
"""
HEAD = "| what | longest callback, ms | longest with other threads, ms | which |\n|---|---|---|---|"
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class World:
    """A daemon whose loop is watched, and its project."""

    daemon: Daemon
    project: Path
    count: int

    def ask(self, asked: str, /, **params: Any) -> Any:
        with Client(str(self.daemon.socket())) as client, contextlib.suppress(RpcError):
            return client.call(asked, params, timeout=PATIENCE)
        return None

    def save(self, name: str, text: str) -> None:
        """And wait until it has loaded, or has not."""
        (self.project / f"{name}.py").write_text(text)
        self.ask("reload", locations=[name])

    def write_raw(self, *parts: bytes) -> None:
        """Send bytes, then read until the daemon has nothing more to say."""
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(str(self.daemon.socket()))
            with contextlib.suppress(OSError):
                for part in parts:
                    made.sendall(part)
                made.shutdown(socket.SHUT_WR)
                while made.recv(1 << 20):
                    continue


def large_message(world: World) -> None:
    world.write_raw(pack(request(1, "status", {"locations": "x" * 55_000_000})))


def many_parts(world: World) -> None:
    world.write_raw(pack(request(1, "status", {"locations": ["x" * 1000] * 60_000})))
    world.write_raw(pack(request(1, "status", {f"x{n}" * 100: n for n in range(60_000)})))
    world.write_raw(pack(request(1, "status", {"locations": ["no"] * 65_000})))
    world.write_raw(pack(request(1, "stop", {"locations": ["small"] * 60_000, "wait": False})))
    world.write_raw(pack(request(1, "subscribe", {"topics": ["status"] * 60_000})))
    after = {f"l{n}": n for n in range(60_000)}
    world.write_raw(pack(request(1, "logs", {"after": after, "before": after})))


def nothing(_world: World) -> None:
    time.sleep(3)


def grow(world: World) -> None:
    world.save("large", MANY.replace("COUNT", str(world.count)))


def change(world: World) -> None:
    world.save("large", MANY.replace("COUNT", str(world.count)).replace("GROUP", "b"))


def listed(world: World) -> None:
    world.ask("definitions", locations=["large"])
    world.ask("definitions", kind="asset")
    world.ask("show", location="large")
    world.ask("show", location="large", name="k7")
    world.ask("show", location="large", name="none of them")
    world.ask("call", location="large", method="snapshot")


def stopped(world: World) -> None:
    world.ask("stop", locations=["large"])
    time.sleep(12)  # what is no longer listed is dropped after a while


def started(world: World) -> None:
    world.ask("start", locations=["large"])


def heavy(world: World) -> None:
    world.save("large", HEAVY.replace("SIZE", "1000000"))


def heavier(world: World) -> None:
    text = HEAVY.replace("SIZE", "1000000").replace("GROUP", "other")
    world.save("large", text)


def one_body(world: World) -> None:
    for text, size in (("x", 55_000_000), ("x", 4_000_000), ("\\n", 700_000), ("é", 600_000)):
        world.save("large", SMALL + BODY.replace("TEXT", text).replace("SIZE", str(size)))
        world.ask("definitions")


def failures(world: World) -> None:
    for text in ('"x" * 3_000_000', '"x\\n" * 1_000_000', '"é" * 500_000'):
        world.save("large", f"raise ValueError({text})\n")
        world.ask("status")
    world.save("large", "for n in range(900): exec(f'def f{n}(): f{n - 1}()')\nf899()\n")
    world.save("large", "import sys; sys.exit('x' * 3_000_000)\n")


def since_the_beginning(world: World) -> None:
    place = {"instance": world.ask("hello")["instance"], "seq": 0}
    topics = ["status", "definitions", "logs", "builds"]
    world.write_raw(pack(request(1, "subscribe", {"topics": topics, "since": place})))
    world.write_raw(pack(request(1, "subscribe", {"topics": topics})))


def much_output(world: World) -> None:
    world.save("large", SMALL + LINES)


def lines(world: World) -> None:
    world.ask("logs", locations=["large"], lines=100_000)
    world.ask("logs", locations=["large"], lines=100_000, contains="nothing of it")
    world.ask("logs", lines=100_000, before={"large": 100_000})


def events(world: World) -> None:
    for _ in range(300):
        world.ask("stop", locations=["large"], wait=False)
        world.ask("start", locations=["large"], wait=False)
    world.ask("start", locations=["large"])
    world.ask("events", lines=100_000)
    world.ask("events", lines=100_000, locations=["small", "large"])


def broken_config(world: World) -> None:
    text = CONFIG + "".join(f'[location.a{n}]\npython_fill = "a"\n' for n in range(3000))
    (world.project / "codelocd.toml").write_text(text)
    world.ask("apply")
    world.ask("status")
    (world.project / "codelocd.toml").write_text(CONFIG)
    world.ask("apply")


def large_config(world: World) -> None:
    text = CONFIG + "".join(f'[location.a{n}]\npython_file = "none.py"\n' for n in range(2000))
    (world.project / "codelocd.toml").write_text(text)
    world.ask("apply", dry_run=True)
    world.ask("status")
    (world.project / "codelocd.toml").write_text(CONFIG)
    world.ask("apply")


ATTACKS: dict[str, Callable[[World], None]] = {
    "nothing": nothing,
    "one message of 55 MB": large_message,
    "messages of 60,000 parts": many_parts,
    "COUNT assets that come": grow,
    "COUNT assets that change": change,
    "`definitions`, `show`, `call` of them": listed,
    "`stop` of them": stopped,
    "`start` of them again": started,
    "50 assets of 1 MB and 20,000 values each": heavy,
    "the same, changed": heavier,
    "`definitions`, `show`, `call` of these": listed,
    "`stop` of these": stopped,
    "`start` of these again": started,
    "one description of 55 MB": one_body,
    "`definitions`, `show`, `call` of it": listed,
    "failures that say much": failures,
    "22 MB of output": much_output,
    "`logs` of it": lines,
    "`events`": events,
    "a subscriber that wants all since the start": since_the_beginning,
    "a config of 3,000 mistakes": broken_config,
    "a config of 2,000 locations without code": large_config,
}


class Holds:
    """What has held the loop of a daemon since it was asked last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = 0

    def row(self, name: str) -> str:
        found = self.new()
        own = [each for each in found if each.what != OTHERS]
        longest = max(own, key=lambda each: each.milliseconds, default=Hold("", 0))
        together = max((each.milliseconds for each in found), default=0)
        where = longest.what.partition(" < ")[0] or "–"
        return f"| {name} | {longest.milliseconds:.0f} | {together:.0f} | {where} |"

    def new(self) -> list[Hold]:
        found = holds(self._file, self._seen)
        self._seen += len(found)
        return found


@contextlib.contextmanager
def world(count: int) -> Iterator[tuple[World, Holds]]:
    """`count`: assets of the large location."""
    with folder() as place:
        home, project = place / "home", place / "project"
        home.mkdir(mode=0o700)
        project.mkdir()
        for name in ("small", "large"):
            (project / f"{name}.py").write_text(SMALL)
        (project / "codelocd.toml").write_text(CONFIG)
        file = home / "holds"
        command: list[str | Path] = [sys.executable, PROGRAM, str(file)]
        with running(project, home, command) as daemon:
            daemon.until_serving()
            yield World(daemon, project, count), Holds(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=200_000)
    parser.add_argument("--only", nargs="*", default=[""], help="rows with one of these in it")
    chosen = parser.parse_args()
    with world(chosen.assets) as (attacked, found):
        print(HEAD)
        for name, attack in ATTACKS.items():
            if any(part in name for part in chosen.only):
                found.new()
                attack(attacked)
                time.sleep(0.2)
                print(found.row(name.replace("COUNT", f"{chosen.assets:,}")), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
