"""A Ray cluster of several machines on one: each a network and a PID namespace of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.end_to_end.daemons import wait_for
from tests.pythons import found

RAY = ("ray==2.60.*", "msgpack", "packaging", "virtualenv>=21", "uv>=0.13")
"""What the bridge needs, too: the lab has one environment for all."""
CLUSTER_PYTHON = "3.11"
DAEMON_PYTHON = "3.13"
GONE = 20.0
"""Seconds for processes that were killed to be gone."""
KNOWN = 120.0
"""For the head to know which machines live: of one that was cut off it hears after a minute."""
PORT = 6379
JOINED = "Ray runtime started."
"""What a machine says once it is a part of the cluster."""
NODES = 3
OBJECT_STORE = 80 * 1024 * 1024
"""Bytes: nothing that a location does is stored there."""
ROOT = Path(__file__).parents[2]
SHARED = ROOT / ".cache" / "engine"
"""Where the environment with Ray is, which all labs use."""


KNOWS = """
import sys, time
from ray._raylet import GcsClientOptions, GlobalStateAccessor
address, *living = sys.argv[1:]
asked = GlobalStateAccessor(GcsClientOptions.create(address, None, True, False))
asked.connect()
while sorted(n["NodeManagerAddress"] for n in asked.get_node_table() if n["Alive"]) != living:
    time.sleep(0.1)
"""
"""Ends when the head has exactly these machines for alive."""

REAPER = """
read -r line
for name in $(ip netns list | cut -d' ' -f1 | grep "^$1"); do
    while pids=$(ip netns pids "$name") && [ -n "$pids" ]; do kill -9 $pids; sleep 0.1; done
    ip netns delete "$name"
done
rm -rf "$2"
"""
"""Ends what is in a lab's namespaces once its test is gone, however that ended."""


def missing() -> str | None:
    """Why there can be no lab here; None where there can."""
    return no_namespaces() or ray_python()[1]


def no_namespaces() -> str | None:
    """Why no machines can be made here; None where they can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    for program in ("ip", "unshare", "nsenter"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt install iproute2 util-linux)"
    probe = ["unshare", "--net", "--pid", "--fork", "--mount", "sh", "-c", "mount -t tmpfs x /mnt"]
    if subprocess.run(probe, capture_output=True).returncode:
        return "this machine lets root make no namespaces"
    return None


@functools.cache
def ray_python() -> tuple[Path, str | None]:
    """The Python with Ray of the lab's machines, and why there is none."""
    named = os.environ.get("CODELOCD_TEST_RAY")
    python = Path(named) if named else SHARED / "bin" / "python"
    if not python.exists() and "CODELOCD_TEST_ENGINE" not in os.environ:
        return python, "Ray is not installed for tests: `make test-engine` does that"
    if not python.exists():
        base = found(CLUSTER_PYTHON)
        if base is None:
            return python, f"there is no Python {CLUSTER_PYTHON} for the cluster"
        uv = str(Path(sys.executable).with_name("uv"))
        made = subprocess.run([uv, "venv", "--quiet", "--python", str(base), str(SHARED)])
        words = [uv, "pip", "install", "--quiet", "--python", str(python), *RAY]
        if made.returncode or subprocess.run(words).returncode:
            shutil.rmtree(SHARED, ignore_errors=True)
            return python, f"{RAY[0]} cannot be installed; it needs the package index once"
    works = subprocess.run([str(python), "-c", "import ray"], capture_output=True)
    return python, f"{python} has no Ray that works" if works.returncode else None


@functools.cache
def daemon_python() -> Path:
    """A Python that has codelocd, and is another than the cluster's, if there is one."""
    named = os.environ.get("CODELOCD_TEST_DAEMON")
    base, folder = found(DAEMON_PYTHON), SHARED.with_name("engine-daemon")
    python = Path(named) if named else folder / "bin" / "python"
    if python.exists():
        return python
    if base is None or "CODELOCD_TEST_ENGINE" not in os.environ:
        return Path(sys.executable)
    subprocess.run([str(base), "-m", "venv", str(folder)], check=True)
    words = [str(python), "-m", "pip", "install", "--quiet", "--editable", str(ROOT)]
    subprocess.run(words, check=True)
    return python


@dataclass(slots=True)
class Machine:
    """One: its namespace, its address, the folder that is its own, and the process it hangs on."""

    name: str
    namespace: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    started: int = 0
    ways: list[str] = field(default_factory=list)

    @property
    def store(self) -> Path:
        """Where codelocd keeps on it what belongs to its runners."""
        return self.folder / "store"

    def processes(self) -> list[psutil.Process]:
        """All of its processes, as they are seen from outside."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def named(self, word: str) -> list[psutil.Process]:
        """Those with that word in their command line."""
        found = []
        for each in self.processes():
            with contextlib.suppress(psutil.Error):
                if any(word in part for part in each.cmdline()):
                    found.append(each)
        return found


class Lab:
    """The machines, joined by a switch that the daemon's machine, `hub`, is on, too.

    `variables` are all processes' of Ray: the token, certificates, settings.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.id = secrets.token_hex(2)
        self.hub = f"cl{self.id}"
        self.python, _ = ray_python()
        self.variables = dict(variables or {})
        self.head = self._machine(1, "head")
        self.own = Machine("own", self.hub, "10.77.0.254", self.folder / "own")
        self.nodes: list[Machine] = []
        self._stack = contextlib.ExitStack()
        self._reaper: subprocess.Popen[bytes]
        self._redis: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.head.address}:{PORT}"

    @property
    def tls(self) -> dict[str, str] | None:
        """As `[engine]` names it."""
        if "RAY_USE_TLS" not in self.variables:
            return None
        names = {"cert": "SERVER_CERT", "key": "SERVER_KEY", "ca": "CA_CERT"}
        return {name: self.variables[f"RAY_TLS_{each}"] for name, each in names.items()}

    def __enter__(self) -> Lab:
        reaper = ["sh", "-c", REAPER, "reaper", self.hub, str(self.folder)]
        self._reaper = subprocess.Popen(reaper, stdin=subprocess.PIPE, start_new_session=True)
        self._stack.callback(_quietly, "ip", "netns", "delete", self.hub)
        _run("ip", "netns", "add", self.hub)
        for words in (
            ("link", "add", "switch", "type", "bridge"),
            ("address", "add", "10.77.0.254/24", "dev", "switch"),
            ("link", "set", "switch", "up"),
            ("link", "set", "lo", "up"),
        ):
            _run("ip", "-n", self.hub, *words)
        self._plug(self.head)
        return self

    def __exit__(self, *_: object) -> None:
        for machine in (self.own, *self.nodes, self.head):
            self.kill(machine)
        if self._redis is not None:
            self._redis.kill()
            self._redis.wait()
        self._reaper.communicate()
        self._stack.close()

    # --- machines ------------------------------------------------------------------------------

    def start_own(self) -> None:
        """The daemon's machine: a part of the cluster, as Ray wants it, that takes no work."""
        self.own.folder.mkdir(exist_ok=True)
        self.start_node(self.own, cpus=0)

    def start_head(self, *options: str) -> None:
        """The head, which takes no work."""
        words = ["--head", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false"]
        self._start(self.head, [*words, *options])
        self._until_joined(self.head)

    def add_node(self, *options: str, cpus: int = 4) -> Machine:
        """One more machine; returns once it has joined. One after the other: two that start at
        the same moment on two cores keep each other from answering in time."""
        number = len(self.nodes) + 2
        machine = self._machine(number, f"node{number - 1}")
        self._plug(machine)
        self.nodes.append(machine)
        self.start_node(machine, *options, cpus=cpus)
        return machine

    def start_node(self, machine: Machine, *options: str, cpus: int = 4) -> None:
        """Returns once it has joined, and the head knows that what it was before is gone."""
        self._start(machine, [f"--address={self.address}", f"--num-cpus={cpus}", *options])
        self._until_joined(machine)
        if machine.started > 1:
            self._until_known()

    def _until_known(self) -> None:
        machines = (self.head, self.own, *self.nodes)
        living = sorted(each.address for each in machines if each.process is not None)
        words = [str(self.python), "-c", KNOWS, self.address, *living]
        done = subprocess.run(
            self.inside(words), env=self._variables(), timeout=KNOWN, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def _until_joined(self, machine: Machine) -> None:
        wait_for(lambda: self.said(machine).count(JOINED) >= machine.started or self._over(machine))

    def kill(self, machine: Machine) -> None:
        """As when its power goes: all of its processes at once."""
        if machine.process is not None:
            all_of_them = machine.processes()
            for each in (*all_of_them, psutil.Process(machine.process.pid)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            machine.process.wait()
            psutil.wait_procs(all_of_them, GONE)
            machine.process = None

    def kill_raylet(self, machine: Machine) -> None:
        for process in machine.named("raylet/raylet"):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "raylet" in process.name():
                    process.send_signal(signal.SIGKILL)

    def stop_hosts(self, machine: Machine) -> None:
        """Its processes beside runners, as by a debugger; `go_on` has them go on."""
        for each in machine.named("ray::Host"):
            each.suspend()

    def go_on(self, machine: Machine) -> None:
        for each in machine.named("ray::Host"):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()

    def cut(self, machine: Machine) -> None:
        """Its cable: from now on nothing reaches it, and nothing tells that."""
        _run("ip", "-n", self.hub, "link", "set", machine.name, "down")

    def mute(self, machine: Machine, other: Machine) -> None:
        """From now on it sends the other one nothing."""
        _run("ip", "-n", machine.namespace, "route", "add", "blackhole", f"{other.address}/32")

    def unmute(self, machine: Machine, other: Machine) -> None:
        _run("ip", "-n", machine.namespace, "route", "delete", "blackhole", f"{other.address}/32")

    def mend(self, machine: Machine) -> None:
        _run("ip", "-n", self.hub, "link", "set", machine.name, "up")

    def start_redis(self) -> None:
        """On the hub: it outlives the head."""
        folder = self.folder / "redis"
        folder.mkdir(exist_ok=True)
        words = ["redis-server", "--port", "6380", "--bind", "10.77.0.254", "--dir", str(folder)]
        self._redis = subprocess.Popen(
            self.inside([*words, "--save", "", "--protected-mode", "no"]), stdout=subprocess.DEVNULL
        )
        self.variables["RAY_REDIS_ADDRESS"] = "10.77.0.254:6380"

    # --- from the hub --------------------------------------------------------------------------

    def inside(self, command: Sequence[str], folder: Path = Path("/")) -> list[str]:
        """A command on the daemon's machine, which reaches the others."""
        if self.own.process is None:
            return ["nsenter", f"--net=/run/netns/{self.hub}", *command]
        entering = ["nsenter", f"--target={self.own.process.pid}", "--net", "--mount"]
        return [*entering, "env", f"--chdir={folder}", *command]

    def said(self, machine: Machine) -> str:
        return (machine.folder / "log").read_text(errors="replace")

    # --- parts ---------------------------------------------------------------------------------

    def _machine(self, number: int, name: str) -> Machine:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return Machine(name, f"{self.hub}n{number}", f"10.77.0.{number}", folder)

    def _plug(self, machine: Machine) -> None:
        self._stack.callback(_quietly, "ip", "netns", "delete", machine.namespace)
        _run("ip", "netns", "add", machine.namespace)
        ends = ("type", "veth", "peer", "name", "eth0", "netns", machine.namespace)
        _run("ip", "-n", self.hub, "link", "add", machine.name, *ends)
        _run("ip", "-n", self.hub, "link", "set", machine.name, "master", "switch", "up")
        inside = f"{machine.address}/24"
        _run("ip", "-n", machine.namespace, "address", "add", inside, "dev", "eth0")
        for device in ("eth0", "lo"):
            _run("ip", "-n", machine.namespace, "link", "set", device, "up")

    def _start(self, machine: Machine, options: Sequence[str]) -> None:
        """Its own processes, network and folder for temporary files: a machine of its own."""
        temporary = machine.folder / "ray"
        temporary.mkdir(exist_ok=True)
        Path("/tmp/ray").mkdir(exist_ok=True)
        ray = [str(self.python.parent / "ray"), "start", "--block", "--disable-usage-stats"]
        ray += [f"--node-ip-address={machine.address}", f"--object-store-memory={OBJECT_STORE}"]
        script = f'mount --bind {temporary} /tmp/ray && exec "$@"'
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        if machine is self.own:  # the daemon's processes are seen as the test sees them
            namespaces = ["unshare", "--mount"]
        words = [*namespaces, "sh", "-c", script, "machine", *ray, *options]
        log = (machine.folder / "log").open("ab")
        with log:
            machine.process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{machine.namespace}", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._variables(), "CODELOCD_NODE_STORE": str(machine.store)},
                start_new_session=True,
            )
        machine.started += 1

    def _variables(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DISABLE_IMPORT_WARNING": "1",
            **self.variables,
        }

    def _over(self, machine: Machine) -> bool:
        if machine.process is not None and machine.process.poll() is not None:
            raise AssertionError(f"{machine.name} did not start:\n{self.said(machine)}")
        return False


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _quietly(*words: str) -> None:
    subprocess.run(words, check=False, capture_output=True)


@contextlib.contextmanager
def running(
    folder: Path,
    nodes: int = NODES,
    variables: Mapping[str, str] | None = None,
    *,
    redis: bool = False,
) -> Iterator[Lab]:
    """A head and so many machines beside it."""
    with Lab(folder, variables) as lab:
        if redis:
            lab.start_redis()
        lab.start_head()
        lab.start_own()
        for _ in range(nodes):
            lab.add_node()
        yield lab
