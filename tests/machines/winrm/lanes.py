"""Real PowerShells that run the package's scripts, found by ``tools/find-powershell``.

Lane 1 is PowerShell for this machine, with stand-ins for what only Windows has (``standins/``); lane 2 is
PowerShell for Windows under Wine, with a real service controller, registry and CreateProcess (``wine/``).
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import IO

import pytest

from imap4.deadline import Deadline
from imap4.scrub import Scrubber
from recovery.model import CommandResult, Ended
from recovery.platforms.windows.answers import compose
from recovery.transports.winrm import script as winrm_script
from recovery.transports.winrm.budget import Budget

ROOT = Path(__file__).parents[3]
UNHURRIED = Path(__file__).parent / "standins" / "unhurried"
"""A clock for scripts that a test gives few seconds: the start of PowerShell does not count."""
SHARED = Path(__file__).parent / "standins" / "shared.ps1"
SCRIPTS = ROOT / "recovery" / "platforms" / "windows"


@cache
def powershell(kind: str) -> str | None:
    """The command of the PowerShell for ``linux`` or ``windows``; None where there is none here."""
    found = subprocess.run([ROOT / "tools" / "find-powershell", kind], capture_output=True, text=True)
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.strip() if found.returncode == 0 else None


def needed(kind: str) -> str:
    """The same, for a test that cannot do without; says at the end of the run what was left out."""
    command = powershell(kind)
    if command is None:
        pytest.skip(f"no PowerShell for {kind} (CONTRIBUTING.md says how to get one)")
    return command


def whole(name: str, instead: Path | None = None) -> str:
    """A script as it is sent; its parts are taken from the folder ``instead`` where that has them."""

    def read(part: str) -> str:
        other = instead / f"{part}.ps1" if instead else None
        return (other if other and other.exists() else SCRIPTS / f"{part}.ps1").read_text("utf-8")

    return compose(name, read)


NAMES = tuple(path.stem for path in SCRIPTS.glob("*.ps1"))


@dataclass
class PowerShellTransport:
    """A transport that starts PowerShell here and now, with the bootstrap and task that go over WinRM."""

    command: Sequence[str]
    environment: Mapping[str, str]
    parts: Path | None = None
    """A folder whose parts are put in instead of the package's."""
    language: str = "powershell"
    script_seconds: float | None = None
    """What the script itself has, however much time there is around it; None is as over WinRM."""
    program_seconds: float | None = None
    """The same for a program that it runs."""
    variables: Mapping[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """Every PowerShell so far, the running one last."""

    def work_seconds(self, deadline: Deadline) -> float:
        """As over WinRM."""
        return Budget.of(deadline.left).program

    def run(
        self,
        script: str,
        arguments: Sequence[str] = (),
        *,
        deadline: Deadline,
        become: bool = False,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        keep: int = 65536,
    ) -> CommandResult:
        """As ``recovery.transports.winrm`` does it; a PowerShell that is killed is a lost link."""
        short = self.script_seconds is not None or self.program_seconds is not None
        parts = self.parts or (UNHURRIED if short else None)
        if parts:
            name = next(one for one in NAMES if whole(one) == script)
            script = whole(name, parts)
        budget, nonce, began = Budget.of(deadline.left), "nonce0123456789", time.monotonic()
        if self.script_seconds is not None:
            budget = replace(budget, script=min(self.script_seconds, budget.script))
        if self.program_seconds is not None:
            budget = replace(budget, program=min(self.program_seconds, budget.program))
        lines = winrm_script.task(
            nonce, script, arguments, stdin, {**(environment or {}), **self.variables}, budget
        )
        out, err, status = self._exchange(lines, nonce, budget.answer + 20)
        answer = winrm_script.find_answer(out, nonce)
        if answer is None and not out:
            return CommandResult(Ended.LINK_LOST, None, stderr=err)
        if answer is None:
            raise winrm_script.no_answer(out, err, status, "here", Scrubber())
        return replace(winrm_script.read_answer(answer, "here"), seconds=time.monotonic() - began)

    def _exchange(self, lines: bytes, nonce: str, seconds: float) -> tuple[bytes, bytes, int]:
        """Until there is an answer: a child that is left behind may hold the streams open for longer."""
        out, end = b"", time.monotonic() + seconds
        with tempfile.TemporaryFile() as errors, self.start(errors) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            self.started.append(process)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(lines)
                process.stdin.close()
            while winrm_script.find_answer(out, nonce) is None and time.monotonic() < end:
                if select.select([process.stdout], [], [], 0.5)[0]:
                    piece = os.read(process.stdout.fileno(), 1 << 16)
                    if not piece:
                        break
                    out += piece
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            errors.seek(0)
            return out, errors.read(), process.wait()

    def begin(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a script and leave it to itself; its answer is whoever waits for it's."""
        lines = winrm_script.task("nonce", whole(name), arguments, b"", {}, Budget.of(300))
        with Path(os.devnull).open("wb") as errors:
            process = self.start(errors)
        assert process.stdin is not None
        process.stdin.write(lines)
        process.stdin.close()
        process.stdin = None
        return process

    def start(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """PowerShell with the bootstrap, which waits for its task."""
        return subprocess.Popen(
            [*self.command, *winrm_script.command_line()[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(self.environment),
        )

    def close(self) -> None:
        """Nothing is open."""


class WarmPowerShell:
    """One PowerShell that does the tasks of many tests, one after the other."""

    def __init__(self, command: str) -> None:
        self._command = [command, "-NoProfile", "-NonInteractive", "-File", str(SHARED)]
        self._process: subprocess.Popen[bytes] | None = None
        # For .NET's sockets and pipes, which a process that is killed leaves there.
        self._folder = tempfile.TemporaryDirectory(prefix="pwsh-", ignore_cleanup_errors=True)

    def exchange(self, lines: bytes, nonce: str, seconds: float) -> tuple[bytes, bytes, int]:
        """As :meth:`PowerShellTransport._exchange`; one that gives no answer in time is ended."""
        if self._process is None:
            pipe = subprocess.PIPE
            environment = {**os.environ, "TMPDIR": self._folder.name}
            self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, env=environment)
        entry, exit_ = self._process.stdin, self._process.stdout
        assert entry is not None
        assert exit_ is not None
        entry.write(lines)
        entry.flush()
        out, end = b"", time.monotonic() + seconds
        while winrm_script.find_answer(out, nonce) is None:
            piece = b""
            if select.select([exit_], [], [], max(0.0, end - time.monotonic()))[0]:
                piece = os.read(exit_.fileno(), 1 << 16)
            if not piece:
                self._end()
                break
            out += piece
        return out, b"", 0

    def close(self) -> None:
        """End it, and leave nothing."""
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@dataclass
class WarmTransport(PowerShellTransport):
    """A transport whose scripts run in a PowerShell that is there already."""

    warm: WarmPowerShell | None = None

    def _exchange(self, lines: bytes, nonce: str, seconds: float) -> tuple[bytes, bytes, int]:
        assert self.warm is not None
        return self.warm.exchange(lines, nonce, seconds)
