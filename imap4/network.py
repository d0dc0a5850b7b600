"""How the probe waits: sockets and threads of the operating system, or what stands in for them.

The probe is written as if it blocked. The worker runs the very same code for thousands of targets in
one thread, by handing it sockets that let others run while they wait.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from imap4.deadline import Deadline

_T = TypeVar("_T")
_R = TypeVar("_R")


class Network(NamedTuple):
    """What the probe needs of its surroundings."""

    socket: Callable[[int, int], socket.socket]
    """Family and type -> an unconnected socket that obeys ``settimeout``."""
    apart: Callable[[Callable[[], None], Deadline], None]
    """Runs what cannot be interrupted; returns when that is done, or the deadline is over."""
    each: Callable[[Callable[[_T], _R], list[_T]], list[_R]]
    """Applies a function to all of a list at the same time."""


def _in_a_thread(function: Callable[[], None], deadline: Deadline) -> None:
    import threading

    thread = threading.Thread(target=function, name="apart", daemon=True)
    thread.start()
    thread.join(deadline.left)


def _in_threads(function: Callable[[_T], _R], items: list[_T]) -> list[_R]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=len(items)) as threads:
        return list(threads.map(function, items))


BLOCKING = Network(socket.socket, _in_a_thread, _in_threads)
"""For a process that runs one check."""
