"""One command over an SSH channel: feed it, drain both its streams, notice when the link is gone."""

from __future__ import annotations

import select
import time
from collections.abc import Callable

import paramiko

from imap4.deadline import Deadline
from recovery.transports.ssh import remote_shell

_CHUNK = 32768
_TAIL = 4096
"""The end of the error stream that is watched for the guard's report."""
_QUIET_SECONDS = 0.5
"""A child that lives on in the background keeps the streams open; wait no longer for their end."""


class _Stream:
    """The first ``keep`` bytes of a stream from the guard's mark on, and its tail."""

    def __init__(self, nonce: str, keep: int) -> None:
        self._nonce = nonce
        self._keep = keep
        self._head = bytearray()
        self.tail = bytearray()
        self.started = False
        self.length = 0

    def add(self, data: bytes) -> None:
        if not self.started:
            self._head += data
            begin = remote_shell.started(self._nonce, bytes(self._head))
            if begin is None:
                # Chatter of the login shell; a mark may be cut in two at its end.
                del self._head[: -(_TAIL * 4)]
                return
            self.started = True
            data = bytes(self._head[begin:])
            self._head.clear()
        self.length += len(data)
        self._head += data[: max(0, self._keep - len(self._head))]
        self.tail = (self.tail + data)[-_TAIL:]

    @property
    def kept(self) -> bytes:
        return bytes(self._head)


class Exchange:
    """Everything that is said on one channel.

    ``alive`` tells whether the connection under the channel still answers.
    """

    def __init__(self, channel: paramiko.Channel, nonce: str, keep: int, alive: Callable[[], bool]) -> None:
        self._channel = channel
        self._nonce = nonce
        self._alive = alive
        self._keep = keep
        self._out = _Stream(nonce, keep)
        # Room for the report, which is cut off again.
        self._err = _Stream(nonce, keep + _TAIL)
        self.report: remote_shell.Report | None = None
        self.exit_status: int | None = None

    @property
    def started(self) -> bool:
        """Whether the guard began: from here on the script may have run."""
        return self._out.started or self._err.started

    @property
    def stdout(self) -> bytes:
        return self._out.kept

    @property
    def stderr(self) -> bytes:
        text, _, _ = self._err.kept.partition(f"\n{self._nonce} ".encode())
        return text[: self._keep]

    @property
    def truncated(self) -> bool:
        """Whether a stream was longer than what is kept of it."""
        report = 0
        at = bytes(self._err.tail).rfind(f"\n{self._nonce} ".encode())
        if at >= 0:
            report = len(self._err.tail) - at
        return self._out.length > self._keep or self._err.length - report > self._keep

    def talk(self, data: bytes, deadline: Deadline) -> None:
        """Send ``data``, then read until the guard has reported, the link is gone or the time is up."""
        pending = memoryview(data)
        sent_all = False
        quiet_since = time.monotonic()
        while True:
            moved = self._drain()
            if pending and not self._finished and self._channel.send_ready():
                sent = self._channel.send(bytes(pending[:_CHUNK]))
                pending = pending[sent:]
                moved = True
            if not sent_all and (not pending or self._finished):
                self._channel.shutdown_write()
                sent_all = True
            if moved:
                quiet_since = time.monotonic()
                continue
            if self._channel.exit_status_ready():
                self.exit_status = self._channel.recv_exit_status()
            if self._ended(time.monotonic() - quiet_since) or deadline.expired or not self._alive():
                return
            wait = 0.01 if pending or self._finished else min(0.25, max(0.01, deadline.left))
            select.select([self._channel], [], [], wait)

    def _drain(self) -> bool:
        moved = False
        while self._channel.recv_ready():
            self._out.add(self._channel.recv(_CHUNK))
            moved = True
        while self._channel.recv_stderr_ready():
            self._err.add(self._channel.recv_stderr(_CHUNK))
            moved = True
        if moved and self.report is None and self._err.started:
            self.report = remote_shell.parse_report(self._nonce, bytes(self._err.tail))
        return moved

    @property
    def _finished(self) -> bool:
        return self.report is not None or self._channel.closed

    def _ended(self, quiet: float) -> bool:
        if self._channel.recv_ready() or self._channel.recv_stderr_ready():
            return False
        if self._channel.closed or self._channel.eof_received:
            # The exit status may come a moment after the streams' end.
            return self.report is not None or self._channel.closed or quiet > _QUIET_SECONDS
        return self.report is not None and quiet > _QUIET_SECONDS
