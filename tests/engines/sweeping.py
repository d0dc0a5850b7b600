"""``imap4-worker sweep`` as a person or a unit runs it, and definitions for it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAM = str(Path(sys.executable).with_name("imap4-worker"))

FAST = "{ up = 1, warn = 1, down = 1, lost = 1 }"


def without_times(text: str) -> str:
    """``text`` with a T for every time in seconds that was measured."""
    return re.sub(r"\b[0-9]+\.[0-9]{3,6}(?= ?s\b)", "T", text)


def monitor(name: str, port: int, address: str = "127.0.0.1", **more: object) -> str:
    """A monitor's table."""
    keys = {"name": name, "address": address, "port": port, **more}
    return "\n".join(["[[monitor]]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()), ""])


def definition(folder: Path, monitors: Iterable[str], defaults: str = "") -> str:
    """A definitions file with short delays; its path."""
    path = folder / "monitors.toml"
    path.write_text(f"[defaults]\ndelays = {FAST}\n{defaults}\n" + "\n".join(monitors), encoding="utf-8")
    return str(path)


def sweep(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run one to its end."""
    return subprocess.run([PROGRAM, "sweep", *arguments], capture_output=True, text=True, timeout=60, **more)


def objects(text: str) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


class Sweeping:
    """One that goes on until it is told to stop."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None, **more: Any) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "sweep", *arguments],
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(env or {})},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
        )

    def __enter__(self) -> Sweeping:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def next(self) -> dict[str, Any]:
        """The next test's object."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Tell it to stop; exit code, the rest of standard output, standard error."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output, errors
