"""Who asks a worker that serves: what the kernel and they themselves say of them."""

from __future__ import annotations

import os
import socket
import struct

from imap4.handover import client
from imap4.worker.loop.sockets import Socket

_LARGEST = 256 * 1024
"""Bytes of a request."""
_CREDENTIALS = struct.Struct("iII")
_PEER_GROUPS = 59
"""SO_PEERGROUPS of Linux 4.13 and newer, which Python has no name for."""
_MOST_GROUPS = 256


class Asker:
    """What is told of the asker's side."""

    def __init__(self, arguments: list[str], files: list[str], groups: list[int]) -> None:
        self.groups = groups
        paths = [client.path_in(each) for each in arguments if "/" in each]
        self._files = dict(zip(paths, files, strict=True))

    def sees(self, path: str, ours: str, as_written: bool) -> bool:
        """Whether a path leads the asker to our file.

        Args:
            ours: the file's identity.
            as_written: whether what is written in it counts; a pipe is another one at every write, and
                what is not there may be told as well as what is.
        """
        if not ours:
            return not as_written and self._files.get(path) == client.NOTHING
        fields = None if as_written else 2
        return self._files.get(path, "").split(".")[:fields] == ours.split(".")[:fields]


def received(sock: Socket) -> bytes:
    """A whole request.

    Raises:
        OSError: it does not come.
        ValueError: it is none.
    """
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            raise OSError("it is gone")
        data += part
        length = int.from_bytes(data[:4], "big")
        if length > _LARGEST:
            raise ValueError
        if len(data) >= 4 and len(data) >= 4 + length:
            return data[4:]


def groups_of_peer(sock: Socket) -> list[int] | None:
    """The groups of who asks; None where it is neither root nor we."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, group = _CREDENTIALS.unpack(credentials)
    if user not in (0, os.geteuid()):
        return None
    try:
        more = sock.getsockopt(socket.SOL_SOCKET, _PEER_GROUPS, 4 * _MOST_GROUPS)
    except OSError:
        return [group]
    return sorted({group, *struct.unpack(f"{len(more) // 4}I", more)})
