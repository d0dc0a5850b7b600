"""The shell state machine of WinRM: Create, Command, Send, Receive, Signal and Delete ([MS-WSMV] 3.1)."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.machines.winrm import soap
from tests.machines.winrm.soap import Fault, Request

MAX_SHELLS_PER_USER = 30
MAX_ENVELOPE = 500 * 1024
"""Bytes of the largest request that Windows Server 2012 and newer take (MaxEnvelopeSizekb)."""
TERMINATED = 0xC000013A
"""STATUS_CONTROL_C_EXIT, the exit code of a command that a signal ended."""


class Process(Protocol):
    """What a command sees of its shell."""

    def read_stdin(self) -> bytes:
        """Everything until the client ends the stream; b"" if the command is terminated first."""
        ...

    def write(self, stream: str, data: bytes) -> None:
        """Write to ``stdout`` or ``stderr``."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait; True where the command was terminated meanwhile."""
        ...


Program = Callable[[str, Process], int]
"""Runs a command line to its end and returns its exit code."""


@dataclass
class Command:
    """One command in a shell; its program runs in a thread of its own."""

    line: str
    changed: threading.Condition = field(default_factory=threading.Condition)
    stdin: bytearray = field(default_factory=bytearray)
    stdin_ended: bool = False
    output: list[tuple[str, bytes]] = field(default_factory=list)
    exit_code: int | None = None
    terminated: bool = False

    def read_stdin(self) -> bytes:
        with self.changed:
            self.changed.wait_for(lambda: self.stdin_ended or self.terminated)
            return b"" if self.terminated else bytes(self.stdin)

    def write(self, stream: str, data: bytes) -> None:
        with self.changed:
            self.output.append((stream, data))
            self.changed.notify_all()

    def wait(self, seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.terminated, seconds)

    def terminate(self) -> None:
        """End it as a signal would."""
        with self.changed:
            self.terminated = True
            self.changed.notify_all()

    def run(self, program: Program) -> None:
        """The thread's story."""
        code = program(self.line, self)
        with self.changed:
            self.exit_code = TERMINATED if self.terminated else code
            self.changed.notify_all()


@dataclass
class Shell:
    """One remote shell and its commands."""

    owner: str
    codepage: str
    commands: dict[str, Command] = field(default_factory=dict)


class Shells:
    """All shells of the machine, and what a client may do with them."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.open: dict[str, Shell] = {}
        self.created = 0
        self.idle_timeouts: list[str] = []
        """What was asked for, shell by shell."""
        self.administrators: set[str] | None = None
        """Who may open a shell; None is everybody that can log on."""
        self.lock = threading.Lock()

    def answer(self, request: Request, user: str) -> bytes:
        """What the machine answers; raises Fault."""
        steps = {
            "Create": self._create,
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
        }
        if request.action not in steps or request.resource != soap.CMD_SHELL:
            raise Fault(soap.BAD_ACTION, "a:ActionNotSupported", "The WS-Management action is not supported.")
        return steps[request.action](request, user)

    def end_all(self) -> None:
        """What a reboot does to shells."""
        with self.lock:
            shells, self.open = list(self.open.values()), {}
        for shell in shells:
            for command in shell.commands.values():
                command.terminate()

    def _create(self, request: Request, user: str) -> bytes:
        if self.administrators is not None and user not in self.administrators:
            raise Fault(soap.ACCESS_DENIED, "w:AccessDenied", "Access is denied.")
        with self.lock:
            if sum(shell.owner == user for shell in self.open.values()) >= MAX_SHELLS_PER_USER:
                raise Fault(
                    soap.QUOTA,
                    "w:QuotaLimit",
                    "The WS-Management service cannot process the request. The maximum number of concurrent "
                    "shells for this user has been exceeded.",
                )
            shell_id = str(uuid.uuid4()).upper()
            self.open[shell_id] = Shell(owner=user, codepage=request.options.get("WINRS_CODEPAGE", "437"))
            self.created += 1
        idle = request.body.findtext("rsp:Shell/rsp:IdleTimeOut", "PT7200.000S", soap.SPACES)
        self.idle_timeouts.append(idle)
        return soap.created(request, shell_id, user, idle)

    def _shell(self, request: Request, user: str) -> Shell:
        shell = self.open.get(request.shell_id)
        if shell is None or shell.owner != user:
            raise Fault(
                soap.BAD_SELECTORS,
                "w:InvalidSelectors",
                "The request for the Windows Remote Shell with this ShellId failed: the shell was not found.",
            )
        return shell

    def _command_of(self, request: Request, user: str, path: str) -> tuple[str, Command]:
        element = request.body.find(path, soap.SPACES)
        command_id = "" if element is None else element.get("CommandId", "")
        command = self._shell(request, user).commands.get(command_id)
        if command is None:
            raise Fault(soap.BAD_SELECTORS, "w:InvalidSelectors", "The command was not found in the shell.")
        return command_id, command

    def _command(self, request: Request, user: str) -> bytes:
        shell = self._shell(request, user)
        parts = [request.body.findtext("rsp:CommandLine/rsp:Command", "", soap.SPACES)]
        parts += [
            argument.text or ""
            for argument in request.body.iterfind("rsp:CommandLine/rsp:Arguments", soap.SPACES)
        ]
        command = Command(line=" ".join(part for part in parts if part))
        command_id = str(uuid.uuid4()).upper()
        shell.commands[command_id] = command
        threading.Thread(target=command.run, args=(self._program,), daemon=True).start()
        return soap.command_started(request, command_id)

    def _send(self, request: Request, user: str) -> bytes:
        _, command = self._command_of(request, user, "rsp:Send/rsp:Stream")
        stream = request.body.find("rsp:Send/rsp:Stream", soap.SPACES)
        assert stream is not None
        with command.changed:
            command.stdin += base64.b64decode(stream.text or "")
            command.stdin_ended |= stream.get("End", "false").lower() == "true"
            command.changed.notify_all()
        return soap.done(request)

    def _receive(self, request: Request, user: str) -> bytes:
        command_id, command = self._command_of(request, user, "rsp:Receive/rsp:DesiredStream")
        with command.changed:
            ready = command.changed.wait_for(
                lambda: bool(command.output) or command.exit_code is not None, request.operation_timeout
            )
            if not ready:
                raise Fault(
                    soap.OPERATION_TIMEOUT,
                    "w:TimedOut",
                    "The WS-Management service cannot complete the operation within the time specified in "
                    "OperationTimeout.",
                    sender=False,
                )
            chunks = _take(command.output, request.max_envelope)
            return soap.received(request, command_id, chunks, None if command.output else command.exit_code)

    def _signal(self, request: Request, user: str) -> bytes:
        _, command = self._command_of(request, user, "rsp:Signal")
        command.terminate()
        return soap.done(request)

    def _delete(self, request: Request, user: str) -> bytes:
        shell = self._shell(request, user)
        with self.lock:
            self.open.pop(request.shell_id, None)
        for command in shell.commands.values():
            command.terminate()
        return soap.done(request)


def _take(output: list[tuple[str, bytes]], max_envelope: int) -> list[tuple[str, bytes]]:
    """Move from ``output`` what one envelope can carry in base64."""
    room = (max_envelope - 4096) // 4 * 3
    taken: list[tuple[str, bytes]] = []
    while output and room > 0:
        stream, data = output.pop(0)
        taken.append((stream, data[:room]))
        if len(data) > room:
            output.insert(0, (stream, data[room:]))
        room -= len(data)
    return taken
