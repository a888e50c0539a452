"""Attempts of runs as real processes, started as the daemon would start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.runner.process.warm_starts import Fork, WarmInterpreter

DEADLINE_SECONDS = 60


class Attempt:
    """A started attempt: its events, its end, its result."""

    def __init__(
        self, process: subprocess.Popen[bytes] | Fork, events: int, folder: Path, number: int
    ) -> None:
        self.process = process
        self.folder = folder
        self.number = number
        self.lines: list[dict[str, Any]] = []
        self.printed: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self._news = threading.Condition()
        self._readers = [threading.Thread(target=self._hear, args=(events,), daemon=True)]
        self._readers += [
            threading.Thread(target=self._drain, args=(name,), daemon=True) for name in self.printed
        ]
        for reader in self._readers:
            reader.start()

    def _hear(self, events: int) -> None:
        with os.fdopen(events, "rb") as pipe:
            for line in pipe:
                with self._news:
                    self.lines.append(json.loads(line))
                    self._news.notify_all()

    def _drain(self, name: str) -> None:
        for piece in iter(lambda: getattr(self.process, name).read1(65536), b""):
            with self._news:
                self.printed[name] += piece
                self._news.notify_all()

    def until(self, event: str, **facts: Any) -> dict[str, Any]:
        """The first event that has these facts."""

        def found() -> dict[str, Any] | None:
            wanted = {"event": event, **facts}.items()
            return next((line for line in self.lines if wanted <= line.items()), None)

        with self._news:
            assert self._news.wait_for(lambda: found() is not None, DEADLINE_SECONDS), self.lines
            return found() or {}

    def until_printed(self, text: str) -> None:
        """Until it is on standard output."""

        def found() -> bool:
            return text.encode() in self.printed["stdout"]

        with self._news:
            assert self._news.wait_for(found, DEADLINE_SECONDS), self.printed

    def kill(self, number: int = signal.SIGTERM) -> None:
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        status = self.process.wait(DEADLINE_SECONDS)
        for reader in self._readers:
            reader.join(DEADLINE_SECONDS)
        return status

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.{self.number}"

    def result(self) -> dict[str, Any]:
        """Once it has ended."""
        status = self.wait()
        found: dict[str, Any] = json.loads(self.file("result").read_text())
        expected = {"succeeded": 0, "failed": 1, "cancelled": 2}[found["state"]]
        assert status == expected, (status, found["state"], self.errors())
        return found

    def errors(self) -> str:
        self.wait()
        return self.printed["stderr"].decode()


class Attempts:
    """Starts attempts of runs of one location; ends them all."""

    def __init__(self, bundle: Path, folder: Path, variables: dict[str, str]) -> None:
        self.bundle = bundle
        self.folder = folder
        self.variables = variables
        self.started: list[Attempt] = []

    def order(self, target: Path | str, run: int = 1, **facts: Any) -> dict[str, Any]:
        folder = self.folder / "runs" / str(run)
        folder.mkdir(parents=True, exist_ok=True)
        kind = "module" if isinstance(target, str) else "python_file"
        return {
            "format": 1,
            "run": run,
            "attempt": 1,
            "target": {"kind": kind, "value": str(target)},
            "working_directory": str(self.folder / "code"),
            "repository": "__repository__",
            "folder": str(folder),
            "values": str(self.folder / "values"),
            "environment": "key",
            "parent": os.getpid(),
            **facts,
        }

    def __call__(
        self,
        python: str,
        order: dict[str, Any],
        *,
        warm: WarmInterpreter | None = None,
        go: int | None = None,
        **variables: str,
    ) -> Attempt:
        """`go`: the reading end of the pipe on which it hears that it may begin."""
        folder, number = Path(order["folder"]), order["attempt"]
        file = folder / f"order.{number}"
        reading, writing = os.pipe()
        file.write_text(json.dumps({**order, "events_fd": writing, "go_fd": go}))
        every = {**self.variables, **variables}
        pipes = [writing] if go is None else [writing, go]
        process = (
            self.cold(python, order, file, pipes, every)
            if warm is None
            else warm.ordered({"run": str(file), "location": "sales"}, pipes, every)
        )
        os.close(writing)
        self.started.append(Attempt(process, reading, folder, number))
        return self.started[-1]

    def cold(
        self,
        python: str,
        order: dict[str, Any],
        file: Path,
        pipes: list[int],
        variables: dict[str, str],
    ) -> subprocess.Popen[bytes]:
        boot = str(self.bundle / "codeloc_runner" / "__main__.py")
        return subprocess.Popen(
            [python, boot, "sales", str(file), "run"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pipes,
            cwd=order["working_directory"],
            env=variables,
            start_new_session=True,
        )

    def end(self) -> None:
        for attempt in self.started:
            try:
                os.killpg(attempt.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            finally:
                attempt.wait()
