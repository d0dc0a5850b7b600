"""A link over SSH: connect, verify the machine, log in, run scripts (RFC 4251-4254, with paramiko)."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
import time
from collections.abc import Mapping, Sequence

import paramiko

from imap4.deadline import Deadline
from imap4.scrub import Scrubber
from recovery.errors import ConnectFailed, DeadlineExceeded
from recovery.model import CommandResult, Credential, Ended, Target
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.ssh import remote_shell
from recovery.transports.ssh.channel import Exchange
from recovery.transports.ssh.known_hosts import KnownHosts, fingerprint
from recovery.transports.ssh.login import log_in

# The library's thread logs tracebacks of what it raises as well; logging prints them where no handler is.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

DEFAULT_PORT = 22
CONNECT_SECONDS = 15.0
"""Longest wait for the TCP connection, and for each later phase up to the login."""
SILENCE_SECONDS = 20.0
"""A link over which no answer came for so long is lost."""
GRACE_SECONDS = 2.0
"""Between SIGTERM and SIGKILL on the machine."""


class SshTransport:
    """An authenticated SSH connection; each script runs in a channel of its own."""

    language = "sh"

    def __init__(
        self, connection: paramiko.Transport, where: str, silence: float, scrubber: Scrubber
    ) -> None:
        self._connection = connection
        self._where = where
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
    ) -> SshTransport:
        """Connect, verify the host key, log in; nothing secret is sent before the key is verified.

        Raises:
            ConnectFailed, HostKeyRejected, LoginFailed: with what to do about it.
        """
        port = target.port or DEFAULT_PORT
        where = f"{target.machine} ({target.address} port {port})"
        keys = KnownHosts.read(target.machine, port, known_hosts)
        connection = open_connection(target, keys, deadline)
        try:
            host_key = connection.get_remote_server_key()
            certificate = host_key.public_blob.key_blob if host_key.public_blob else None
            keys.check(host_key.asbytes(), certificate)
            log_in(connection, credential, where, deadline)
        except BaseException:
            connection.close()
            raise
        return cls(connection, where, silence, scrubber_for(credential))

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
            raise ConnectFailed(f"{self._where}: the SSH connection is gone ({_text(error)})") from None
        with contextlib.closing(channel):
            exchange = Exchange(channel, nonce, keep, self._heartbeat.alive)
            try:
                channel.exec_command(remote_shell.command(program))
                exchange.talk(program + stdin, deadline)
            except (paramiko.SSHException, EOFError, OSError) as error:
                if not self._connection.is_active():
                    return _lost(exchange, began)
                raise ConnectFailed(f"{self._where}: no command can be run there ({_text(error)})") from None
        return self._result(exchange, began)

    def work_seconds(self, deadline: Deadline) -> float:
        """How long a script that is started now may run; see ``recovery.model.Transport``."""
        # What is kept back: for the kill, and for the report's way home.
        return deadline.left - 2 * _grace(deadline) - min(1.0, deadline.left / 8)

    def _result(self, exchange: Exchange, began: float) -> CommandResult:
        report = exchange.report
        if report is None:
            # -1 is the library's word for a channel that was closed without an exit status.
            if exchange.started or exchange.exit_status in (None, -1):
                return _lost(exchange, began)
            said = self._scrub.edges((exchange.stderr or exchange.stdout).decode("utf-8", "replace").strip())
            raise ConnectFailed(
                f"{self._where}: the account's login shell did not start /bin/sh "
                f"(exit status {exchange.exit_status}{f': {said[:200]}' if said else ''}); give it a shell"
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

    def close(self) -> None:
        """End the link; never raises."""
        self._heartbeat.stop()
        with contextlib.suppress(Exception):
            self._connection.close()


def open_connection(target: Target, keys: KnownHosts, deadline: Deadline) -> paramiko.Transport:
    """An encrypted connection whose host key nobody has verified yet.

    Raises:
        ConnectFailed: no connection, or no SSH server behind it.
    """
    port = target.port or DEFAULT_PORT
    where = f"{target.machine} ({target.address} port {port})"
    limit = min(CONNECT_SECONDS, deadline.left)
    if limit <= 0:
        raise DeadlineExceeded(f"{where}: no time was left to connect")
    try:
        sock = socket.create_connection((target.address, port), timeout=limit)
    except OSError as error:
        reason = f"no answer within {limit:.0f} s" if isinstance(error, TimeoutError) else _text(error)
        passing = isinstance(error, ConnectionError)
        raise ConnectFailed(f"{where}: no SSH connection: {reason}", passing=passing) from None
    # Nagle's algorithm would hold small packets back until the last one is acknowledged (RFC 896).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = paramiko.Transport(sock)
    # The library's thread must not keep our process alive.
    connection.daemon = True
    limit = max(0.1, min(CONNECT_SECONDS, deadline.left))
    connection.banner_timeout = connection.handshake_timeout = connection.auth_timeout = limit
    connection.channel_timeout = limit
    options = connection.get_security_options()
    # Else the machine shows the key that the library likes best, which may not be the one on file.
    options.key_types = keys.algorithms(options.key_types)
    try:
        connection.start_client(timeout=limit)
    except (paramiko.SSHException, EOFError, OSError) as error:
        connection.close()
        text = f"{where}: connected, but no SSH session: {_text(error)}"
        incompatible = isinstance(error, paramiko.ssh_exception.IncompatiblePeer)
        offers = _offers(str(error), options) if incompatible else ""
        raise ConnectFailed(text + offers, passing=not incompatible) from None
    return connection


def _grace(deadline: Deadline) -> float:
    """Seconds between SIGTERM and SIGKILL: of a short time-out the work gets most."""
    return min(GRACE_SECONDS, deadline.left / 8)


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".") or type(error).__name__


def _offers(missing: str, options: paramiko.transport.SecurityOptions) -> str:
    """What this host offers of the kind of algorithm that ``missing`` says is not shared (RFC 4253, 7.1)."""
    kinds = {
        "kex": options.kex,
        "host key": options.key_types,
        "cipher": options.ciphers,
        "mac": options.digests,
    }
    ours = next((names for kind, names in kinds.items() if kind in missing.lower()), ())
    return f"; this host offers {', '.join(ours)}; what the machine offers shows: ssh -vv" if ours else ""


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
