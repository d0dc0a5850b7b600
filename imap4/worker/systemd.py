"""Tells systemd how the service is: sd_notify(3), without a library for one datagram."""

from __future__ import annotations

import contextlib
import os
import socket


def send(status: str, *, ready: bool = False, stopping: bool = False) -> None:
    """Send the state, and the watchdog's keep-alive; nothing where systemd did not ask."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    lines = [f"STATUS={status}", *["READY=1", "WATCHDOG=1"] * ready, *["STOPPING=1"] * stopping]
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto("\n".join(lines).encode(), address)
