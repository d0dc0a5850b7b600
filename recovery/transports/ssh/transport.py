"""A link over SSH: connect, verify the machine, log in, run scripts (RFC 4251-4254, with paramiko)."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import paramiko

from imap4.deadline import Deadline
from imap4.scrub import Scrubber
from recovery.errors import ConnectFailed, DeadlineExceeded
from recovery.model import CommandResult, Credential, Ended, Hop, Target
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.ssh import remote_shell
from recovery.transports.ssh.channel import Exchange
from recovery.transports.ssh.connection import CONNECT_SECONDS, text_of
from recovery.transports.ssh.jump import Way, reach
from recovery.transports.ssh.known_hosts import fingerprint

SILENCE_SECONDS = 20.0
"""A link over which no answer came for so long is lost."""
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL on the machine."""


class SshTransport:
    """An authenticated SSH connection; each script runs in a channel of its own."""

    language = "sh"

    def __init__(
        self, connection: paramiko.Transport, where: str, silence: float, scrubber: Scrubber, way: Way
    ) -> None:
        self._connection = connection
        self._where = where
        self._way = way
        self._scrub = scrubber
        self.host_key = fingerprint(connection.get_remote_server_key().asbytes())
        """What the machine proved to be, as ``ssh-keygen -l`` shows it."""
        self._heartbeat = _Heartbeat(connection, silence)

    @classmethod
    def connect(
        cls,
        target: Target,
        credential: Credential,
        *,
        deadline: Deadline,
        known_hosts: Sequence[str] | None = None,
        silence: float = SILENCE_SECONDS,
        hops: Sequence[Hop] = (),
    ) -> SshTransport:
        """Connect, verify the host key, log in; nothing secret is sent before the key is verified.

        Args:
            hops: the jump hosts on the way, each of which is verified and logged in to as well.

        Raises:
            ConnectFailed, HostKeyRejected, LoginFailed: with what to do about it.
        """
        way = Way.open(hops, deadline, known_hosts)
        try:
            return cls.on(
                way, target, credential, deadline=deadline, known_hosts=known_hosts, silence=silence
            )
        except BaseException:
            way.close()
            raise

    @classmethod
    def on(
        cls,
        way: Way,
        target: Target,
        credential: Credential,
        *,
        deadline: Deadline,
        known_hosts: Sequence[str] | None = None,
        silence: float = SILENCE_SECONDS,
    ) -> SshTransport:
        """As :meth:`connect`, by a way that is open; it is closed with the link."""
        connection = reach(target, credential, way, deadline, known_hosts)
        return cls(connection, way.place(target), silence, scrubber_for(credential), way)

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
        """Run a POSIX sh ``script``; see ``recovery.model.Transport``.

        The script's commands that need root are called through ``as_root``, which is ``sudo -n`` where
        ``become`` is asked for and the account is not root.

        Raises:
            ConnectFailed: the account got no shell, so that the script was not started.
            DeadlineExceeded: no time was left to start it.
        """
        grace, seconds = _grace(deadline), self.work_seconds(deadline)
        if seconds <= 0.05:
            raise DeadlineExceeded(f"{self._where}: no time was left to run a command")
        nonce = secrets.token_hex(16)
        program = remote_shell.program(
            script,
            arguments,
            nonce=nonce,
            seconds=seconds,
            grace=grace,
            become=become,
            environment=environment or {},
        )
        began = time.monotonic()
        try:
            channel = self._connection.open_session(timeout=min(CONNECT_SECONDS, deadline.left))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectFailed(f"{self._where}: the SSH connection is gone ({text_of(error)})") from None
        with contextlib.closing(channel):
            exchange = Exchange(channel, nonce, keep, self._heartbeat.alive)
            try:
                channel.exec_command(remote_shell.command(program))
                exchange.talk(program + stdin, deadline)
            except (paramiko.SSHException, EOFError, OSError) as error:
                if not self._connection.is_active():
                    return _lost(exchange, began)
                raise ConnectFailed(
                    f"{self._where}: no command can be run there ({text_of(error)})"
                ) from None
        return self._result(exchange, began)

    def work_seconds(self, deadline: Deadline) -> float:
        """How long a script that is started now may run; see ``recovery.model.Transport``."""
        # What is kept back: for the kill, and for the report's way home.
        return deadline.left - 2 * _grace(deadline) - min(1.0, deadline.left / 8)

    def _result(self, exchange: Exchange, began: float) -> CommandResult:
        report = exchange.report
        if report is None:
            said = self._said(exchange)
            # -1 is the library's word for a channel that was closed without an exit status.
            if exchange.started or exchange.exit_status in (None, -1):
                lost = _lost(exchange, began)
                if exchange.started or not self._heartbeat.alive():
                    return lost
                late = f"until then the account's login shell had not started /bin/sh{said and f' ({said})'}"
                return replace(lost, notes=(late,))
            status = f"exit status {exchange.exit_status}"
            raise ConnectFailed(
                f"{self._where}: the account's login shell did not start /bin/sh "
                f"({status}{said and f': {said}'}); {_remedy(said)}"
            )
        return CommandResult(
            ended=report.ended,
            exit_status=report.exit_status,
            signal=report.signal,
            stdout=exchange.stdout,
            stderr=exchange.stderr,
            truncated=exchange.truncated,
            seconds=report.seconds,
            unstoppable=report.unstoppable,
        )

    def _said(self, exchange: Exchange) -> str:
        """What came instead of the script's own words."""
        text = (exchange.stderr or exchange.stdout).decode("utf-8", "replace")
        if remote_shell.BEGIN in text:
            return "what was sent to it came back"
        return self._scrub.edges(" ".join(text.split()))[:200]

    def close(self) -> None:
        """End the link; never raises."""
        self._heartbeat.stop()
        with contextlib.suppress(Exception):
            self._connection.close()
        self._way.close()


def _remedy(said: str) -> str:
    """What to do where something else than our program answered, by its words."""
    if "assword has expired" in said or "assword change required" in said:
        return "give it a new password, or one that never expires (chage -M -1)"
    if "not available" in said:
        return "give it a shell"
    return (
        "look at its shell, at its start files such as ~/.bashrc, and for a ForceCommand in sshd_config or a "
        "command= in authorized_keys"
    )


def _grace(deadline: Deadline) -> float:
    """Seconds between SIGTERM and SIGKILL: of a short time-out the work gets most."""
    return min(GRACE_SECONDS, deadline.left / 8)


def _lost(exchange: Exchange, began: float) -> CommandResult:
    return CommandResult(
        Ended.LINK_LOST,
        None,
        stdout=exchange.stdout,
        stderr=exchange.stderr,
        truncated=exchange.truncated,
        seconds=time.monotonic() - began,
    )


class _Heartbeat:
    """Asks the other side for a sign of life, so that a link that swallows packets is noticed.

    Every SSH server answers a global request, if only to say that it does not know it (RFC 4254,
    section 4). TCP alone would wait for many minutes.
    """

    def __init__(self, connection: paramiko.Transport, silence: float) -> None:
        self._connection = connection
        self._silence = silence
        self._heard = time.monotonic()
        self._stop = threading.Event()
        thread = threading.Thread(target=self._beat, name="ssh-heartbeat", daemon=True)
        thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(self._silence / 4):
            try:
                self._connection.global_request("keepalive@openssh.com", wait=True)
            except (paramiko.SSHException, EOFError, OSError):
                return
            if not self._connection.is_active():
                return
            self._heard = time.monotonic()

    def alive(self) -> bool:
        """Whether the other side was heard of lately."""
        return self._connection.is_active() and time.monotonic() - self._heard < self._silence

    def stop(self) -> None:
        self._stop.set()
