"""A link over WinRM: connect, verify the machine, log in once, run scripts ([MS-WSMV], with pywinrm)."""

from __future__ import annotations

import contextlib
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ParamSpec, TypeVar

from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError

from imap4.deadline import Deadline
from recovery.credentials.login_methods import HTTP_PORT, HTTPS_PORT, SEALING, WINRM
from recovery.errors import ConnectFailed, DeadlineExceeded, RecoveryError, UsageError
from recovery.model import CommandResult, Credential, Ended, Target
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.winrm import script as winrm_script
from recovery.transports.winrm.budget import Budget
from recovery.transports.winrm.errors import (
    ABORTED,
    SHELL_NOT_FOUND,
    Peer,
    explain,
    fault_code,
    no_connection,
)
from recovery.transports.winrm.kerberos import ticket
from recovery.transports.winrm.session import make_protocol
from recovery.transports.winrm.wire import Way, Wire, is_address, tls_context

T = TypeVar("T")
P = ParamSpec("P")

CONNECT_SECONDS = 15.0
"""Longest wait for the connection, and for the login."""
ANSWER_SECONDS = 20.0
"""Longest wait for an answer, beyond the time that the machine may take by itself."""
RECEIVE_SECONDS = 10
"""After so long without output the machine answers that there is none; that is a sign of life."""
CLOSE_SECONDS = 3.0
SHORTEST_IDLE, LONGEST_IDLE, IDLE_ROOM = 60.0, 180.0, 20.0
"""Seconds after which the machine ends a shell that nobody uses: what is left of our time, and some room."""
STARTING_SECONDS = 5.0
"""Between the order and the start of PowerShell, on a machine that is busy."""
SEND_BYTES = 64 * 1024
"""Of standard input in one message; in base64 and sealed it stays below the smallest envelope, 150 KiB."""


def _check_library(credential: Credential) -> None:
    """Distributions have pywinrm without what CredSSP needs; its words for it sound like a bad answer."""
    import winrm.transport

    if credential.method == "winrm-credssp" and not winrm.transport.HAVE_CREDSSP:
        raise UsageError(
            "winrm-credssp needs the library requests-credssp, which Debian has no package of: "
            "pip install requests-credssp into the programs' environment, or change the credential's method "
            "to winrm-ntlm"
        )


_LEFT_SHELLS: dict[Peer, list[tuple[str, float]]] = {}
"""Shells on a machine whose links were found dead, and from when (time.monotonic) no script runs in them."""


class WinRmTransport:
    """An authenticated WinRM connection with one remote shell; each script is a command in it."""

    language = "powershell"

    def __init__(
        self, target: Target, credential: Credential, deadline: Deadline, way: Way | None = None
    ) -> None:
        _check_library(credential)
        scheme, port = _scheme_and_port(target, credential)
        where = way.place(target, port) if way else f"{target.machine} ({target.address} port {port})"
        names = credential.account, credential.name, credential.method
        self._peer = Peer(where, port, scheme, *names, scrubber_for(credential))
        self._broken: RecoveryError | None = None
        self._runs_until = 0.0
        """Until when a script may run in the shell whose end nobody was told; the machine ends it then."""
        self._cleanup = contextlib.ExitStack()
        tls = tls_context(target, credential, target.ca_file) if scheme == "https" else None
        self._wire = self._connect(target, port, tls, deadline, way)
        if way:
            # Left last of all, when the shell is closed.
            self._cleanup.callback(way.close)
        try:
            if credential.method == "winrm-kerberos":
                self._cleanup.enter_context(ticket(credential, deadline))
            host = f"[{target.machine}]" if ":" in target.machine else target.machine
            self._protocol = make_protocol(
                f"{scheme}://{host}:{port}/wsman", credential, self._wire, target.spn
            )
            limit = deadline.share(CONNECT_SECONDS)
            # A shell that nobody closes goes by itself; a machine takes 30 of them from one account. A script
            # that runs on after a lost link is idle to WinRM, and must be let come to its end.
            idle = f"PT{round(max(SHORTEST_IDLE, min(LONGEST_IDLE, deadline.left + IDLE_ROOM)))}S"
            self._shell = self._ask_again(
                "open a shell", limit, self._protocol.open_shell, codepage=65001, idle_timeout=idle
            )
            self._remove_left_shells()
        except BaseException:
            self._wire.close()
            self._cleanup.close()
            raise

    def _remove_left_shells(self) -> None:
        """Delete the shells of links that were found dead: 30 of them, and nobody gets in any more.

        One in which a script may still run is left to it until the machine has ended that.
        """
        left, now = _LEFT_SHELLS.pop(self._peer, []), time.monotonic()
        if later := [(shell, until) for shell, until in left if until > now]:
            _LEFT_SHELLS[self._peer] = later
        for shell, until in left:
            if until > now:
                continue
            with contextlib.suppress(RecoveryError, _NothingYet, WSManFaultError):
                self._wire.deadline = Deadline(CLOSE_SECONDS)
                # Not by way of _ask: a shell that is gone already is no sign of a broken link.
                self._protocol.close_shell(shell, close_session=False)

    def _connect(self, target: Target, port: int, tls: object, deadline: Deadline, way: Way | None) -> Wire:
        limit = deadline.share(CONNECT_SECONDS)
        if limit.left <= 0:
            raise DeadlineExceeded(f"{self._peer.where}: no time was left to connect")
        try:
            return Wire(target, port, tls, limit, way)  # type: ignore[arg-type]
        except OSError as error:
            raise no_connection(error, self._peer, limit.seconds) from None

    @classmethod
    def connect(
        cls, target: Target, credential: Credential, *, deadline: Deadline, way: Way | None = None
    ) -> WinRmTransport:
        """Connect, verify the certificate, log in, open a shell. A refused login is never repeated.

        Raises:
            ConnectFailed, HostKeyRejected, LoginFailed, PrivilegeMissing, DeadlineExceeded: with what to do.
            UsageError: the method or a file does not fit; nothing was tried.
        """
        return cls(target, credential, deadline, way)

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
        """Run a PowerShell ``script`` of this package; see ``recovery.model.Transport``.

        Its answer is the standard output, as JSON; where it failed, the exit status is 1 and the reason is
        the standard error. ``become`` means nothing on Windows; what a script keeps is its own affair.

        Raises:
            ConnectFailed, DeadlineExceeded: the script was not started.
        """
        if self._broken is not None:
            raise self._broken
        budget = Budget.of(deadline.left)
        if budget.whole < 0.05:
            raise DeadlineExceeded(f"{self._peer.where}: no time was left to run a command")
        nonce = secrets.token_hex(16)
        lines = winrm_script.task(nonce, script, arguments, stdin, environment or {}, budget)
        began = time.monotonic()
        work = deadline.share(budget.answer)
        command = self._start(work)
        # The bootstrap's own limit, from the start of its PowerShell, which is a little later than this.
        self._runs_until = time.monotonic() + budget.whole + STARTING_SECONDS
        try:
            result = self._feed_and_read(command, lines, nonce, work)
        finally:
            self._end(command, deadline.share(budget.removal))
        # After a lost link the script may run on, and its shell is left to it.
        if result.ended is not Ended.LINK_LOST:
            self._runs_until = 0.0
        return replace(result, seconds=time.monotonic() - began)

    def work_seconds(self, deadline: Deadline) -> float:
        """How long a script that is started now may run; see ``recovery.model.Transport``."""
        return Budget.of(deadline.left).program

    def _start(self, work: Deadline) -> str:
        executable, *arguments = winrm_script.command_line()
        # Through cmd.exe, whose limit is 8191 characters; standard input is a pipe, not a console. One that
        # was begun without our knowing waits for its input, and goes with the shell.
        return self._ask_again(
            "start PowerShell",
            work.share(ANSWER_SECONDS),
            self._protocol.run_command,
            self._shell,
            executable,
            arguments,
            console_mode_stdin=False,
        )

    def _feed_and_read(self, command: str, lines: bytes, nonce: str, work: Deadline) -> CommandResult:
        pieces = [lines[at : at + SEND_BYTES] for at in range(0, len(lines), SEND_BYTES)]
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces)
            try:
                limit = work.share(ANSWER_SECONDS)
                self._ask(limit, self._protocol.send_command_input, self._shell, command, piece, end=last)
            except _NothingYet:
                # Sent again it might arrive twice. Whether the last piece arrived, the answer will tell;
                # without it the script cannot have begun.
                if not last:
                    raise self._slow("take the script") from None
            except RecoveryError as error:
                # Where the link still stands, the machine itself refused the input: the script did not begin.
                if last and self._broken is not None:
                    return _lost(error)
                raise
        try:
            return self._read(command, nonce, work)
        except (ConnectFailed, DeadlineExceeded) as error:
            # The script may have run, or run on: nobody knows.
            return _lost(error)

    def _read(self, command: str, nonce: str, work: Deadline) -> CommandResult:
        stdout, stderr = bytearray(), bytearray()
        while not work.expired:
            seconds = max(1, min(RECEIVE_SECONDS, math.ceil(work.left)))
            self._protocol.operation_timeout_sec = seconds
            try:
                out, err, status, done = self._ask(
                    work.share(seconds + ANSWER_SECONDS),
                    self._protocol.get_command_output_raw,
                    self._shell,
                    command,
                )
            except _NothingYet:
                continue
            stdout += out
            # Windows PowerShell writes progress there as XML; it is only looked at where nothing else came.
            stderr += err[: max(0, winrm_script.MAX_STDERR - len(stderr))]
            answer = winrm_script.find_answer(stdout, nonce)
            if answer is not None:
                return winrm_script.read_answer(answer, self._peer.where)
            if done:
                said = bytes(stdout), bytes(stderr), status
                raise winrm_script.no_answer(*said, self._peer.where, self._peer.scrubber)
        return CommandResult(Ended.LINK_LOST, None)

    def _end(self, command: str, limit: Deadline) -> None:
        """Take the command off the machine. What it said counts, whatever comes of this."""
        if self._broken is None and limit.left > 0:
            with contextlib.suppress(RecoveryError, _NothingYet):
                self._ask(limit, self._protocol.cleanup_command, self._shell, command)

    def _ask(self, limit: Deadline, call: Callable[P, T], *args: P.args, **settings: P.kwargs) -> T:
        """One exchange with the machine, which ends at ``limit``."""
        self._wire.deadline = limit
        try:
            return call(*args, **settings)
        except WinRMOperationTimeoutError:
            raise _NothingYet from None
        except Exception as error:
            # As wide as this: pywinrm and what it stands on raise what they meet (AttributeError,
            # StopIteration, KeyError, ParseError, struct.error ...) where the peer is not WinRM.
            told = explain(error, self._peer, self._wire.offers)
            # After most faults the conversation goes on, and the shell can be deleted.
            if not isinstance(error, WSManFaultError) or fault_code(error) in (ABORTED, SHELL_NOT_FOUND):
                self._broken = told
            raise told from None

    def _ask_again(
        self, what: str, limit: Deadline, call: Callable[P, T], *args: P.args, **settings: P.kwargs
    ) -> T:
        """An exchange that may be done twice, until a machine that is busy (w:TimedOut) has the time for it.

        Raises:
            DeadlineExceeded: it had none before ``limit``.
        """
        while True:
            try:
                return self._ask(limit, call, *args, **settings)
            except _NothingYet:
                if limit.left < 1:
                    raise self._slow(what) from None
                time.sleep(0.5)

    def _slow(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self._peer.where}: the machine answers, but was too busy to {what} in time (w:TimedOut); "
            "nothing was done. Look at its load, and give it longer with --timeout"
        )

    def close(self) -> None:
        """End the link; never raises."""
        if self._broken is None:
            self._remove_left_shells()
            with contextlib.suppress(RecoveryError, _NothingYet):
                self._ask(Deadline(CLOSE_SECONDS), self._protocol.close_shell, self._shell)
        else:
            _LEFT_SHELLS.setdefault(self._peer, []).append((self._shell, self._runs_until))
        self._broken = self._broken or ConnectFailed(f"{self._peer.where}: the link was closed")
        with contextlib.suppress(Exception):
            self._protocol.transport.close_session()
        self._wire.close()
        self._cleanup.close()


def _lost(error: RecoveryError) -> CommandResult:
    """Nobody knows what became of the script; why, is told."""
    return CommandResult(Ended.LINK_LOST, None, notes=(str(error),))


class _NothingYet(Exception):
    """The machine had nothing to say within the operation's time."""


def _scheme_and_port(target: Target, credential: Credential) -> tuple[str, int]:
    """How to reach WinRM there: HTTPS, or HTTP where the port is 5985 or the target says so.

    Raises:
        UsageError: the method is not known, or cannot be had safely like this.
    """
    if credential.method not in WINRM:
        raise UsageError(
            f"credential {credential.name}: method {credential.method} is none of {', '.join(WINRM)}"
        )
    scheme = target.scheme or ("http" if target.port == HTTP_PORT else "https")
    if scheme == "http" and credential.method not in SEALING:
        raise UsageError(
            f"credential {credential.name}: {credential.method} would cross the network unencrypted over "
            f"HTTP; use HTTPS (port {HTTPS_PORT}), or {', '.join(SEALING)}"
        )
    if credential.method == "winrm-kerberos" and is_address(target.machine):
        raise UsageError(
            f"{target.machine}: Kerberos knows machines by name; give --machine the full name of it"
        )
    return scheme, target.port or (HTTP_PORT if scheme == "http" else HTTPS_PORT)
