"""A bounded number of threads for what cannot be made to wait politely: resolver, programs, files."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from greenlet import getcurrent

from imap4.worker.loop.hub import Hub, Task

# By default each takes 8 MiB of address space (ulimit -s); getaddrinfo and its NSS modules need far less.
_STACK = 512 * 1024


class Pool:
    """Daemon threads that are started as they are needed, ``limit`` at most, and stay.

    A job reserves its thread before it begins, so that none waits for a thread with its time running.
    All methods are called in the hub.
    """

    def __init__(self, name: str, limit: int, post: Callable[[Callable[[], None]], None]) -> None:
        self.name = name
        self.limit = limit
        self.taken = 0
        """Threads that are reserved or run something; a hung one counts until it returns."""
        self.on_free: Callable[[], None] = _nothing
        """Called in the hub when a thread becomes free."""
        self._post = post
        self._threads = 0
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    @property
    def free(self) -> bool:
        """Whether a thread can be had at once."""
        return self.taken < self.limit

    def reserve(self) -> None:
        """Take a thread."""
        self.taken += 1

    def cancel(self) -> None:
        """Give a reserved thread back unused."""
        self.taken -= 1

    def run(self, function: Callable[[], None], hub: Hub, until: float = float("inf")) -> bool:
        """Run ``function``, which must not raise, in a thread; the task waits meanwhile.

        Args:
            until: when to leave it behind, on the monotonic clock.

        Returns:
            Whether it has returned by then.
        """
        task: Task = getcurrent()
        task.reusable = False
        if self in task.reserved:
            task.reserved.remove(self)
        else:
            self.reserve()
        waits = [task]

        def done() -> None:
            self.taken -= 1
            if waits:
                waits.pop().switch(True)
            self.on_free()

        def run() -> None:
            try:
                function()
            finally:
                # Greenlets belong to their thread: only the hub may switch to the task.
                self._post(done)

        if self._threads < min(self.taken, self.limit):
            self._start()
        self._queue.put(run)
        try:
            return hub.pause(until)
        finally:
            waits.clear()

    def _start(self) -> None:
        threading.stack_size(_STACK)
        try:
            threading.Thread(target=self._work, name=self.name, daemon=True).start()
            self._threads += 1
        except RuntimeError:  # no more threads to be had; those that there are must do
            if not self._threads:
                self.taken -= 1
                raise

    def _work(self) -> None:
        while True:
            self._queue.get()()


def _nothing() -> None:
    pass
