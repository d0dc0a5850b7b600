"""One thread that runs many tasks: each waits for its socket, its thread or its time, the others go on.

A task is a greenlet, so that the probe's code, written as if it blocked, runs unchanged in it. Nothing
here may block: the same thread reads the core's jobs.
"""

from __future__ import annotations

import collections
import functools
import heapq
import os
import select
import time
from collections.abc import Callable
from typing import Any, Protocol

from greenlet import getcurrent, greenlet

_TICKS = 50
"""Timers are sorted into this many bins a second, and go off late by as much."""

_MAX_EVENTS = 256
_MAX_RESTING = 500
_MAX_SLEEP = 0.5
"""Seconds; the heartbeat's longest pause."""

HUNG_UP = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
READ = select.EPOLLIN | HUNG_UP
WRITE = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
# Edge-triggered: a socket is registered once, and no call is needed for each wait (epoll(7), "Level-triggered
# and edge-triggered"). Who reads must then read until there is nothing, or remember that there may be more.
_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET

_WINDOW = 0.1
_CROWD = 1500
"""Events a second (a check has about five) from which on they are gathered for a moment: being woken
for each costs more than the check itself. Below, every time is measured to the microsecond."""

_GATHER = 0.001
_FEW = 32

FOREVER = float("inf")


class Watcher(Protocol):
    """Something with a descriptor whose events are wanted."""

    def on_events(self, events: int) -> None:
        """Called in the hub with epoll's events."""


class Reserved(Protocol):
    """Something that is kept for a task."""

    def cancel(self) -> None:
        """Give it back unused."""


class Killed(BaseException):
    """Raised in a task whose own time is over. Not an Exception: nobody but the task's owner takes it."""


class Task(greenlet):  # type: ignore[misc]
    """A greenlet with a clock. It runs one function after another, as long as there are some."""

    function: Callable[[], None]
    """What it runs now. It must not raise."""
    reusable = False
    """Whether nobody may switch to it any more when its function has ended, so that it can run another."""
    wake_at = FOREVER
    """When the present pause ends; monotonic, as all times here."""
    kill_at = FOREVER
    """When Killed is raised in it, wherever it waits."""
    bin = 0
    """Where its timer lies; 0 for none."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(self._live, hub.greenlet)
        self._hub = hub
        self.sockets: set[Any] = set()
        """What it has open."""
        self.reserved: set[Reserved] = set()
        """The threads that are kept for it, each by its pool."""

    def _live(self, woken: bool) -> None:
        wanted = True
        while wanted:
            self.function()
            wanted = self._hub.end(self)


class Hub:
    """The loop. Made in the thread that runs it; ``post`` alone may be called from others."""

    def __init__(self) -> None:
        self.greenlet: greenlet = getcurrent()
        self.watchers: dict[int, Watcher] = {}
        self.each_round: list[Callable[[], None]] = []
        """Called once a round: after the events, before the sleep."""
        self.round = 0
        """Counts the looks at epoll. What is registered in one can have no event before the next."""
        self._epoll = select.epoll()
        self._posted: collections.deque[Callable[[], None]] = collections.deque()
        self._bins: dict[int, set[Task]] = {}
        self._order: list[int] = []
        self._resting: list[Task] = []
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._stopped = False

    def spawn(self, function: Callable[[], None], kill_at: float = FOREVER) -> None:
        """Start a task, now; called in the hub or in a task. It must not raise."""
        task = self._resting.pop() if self._resting else Task(self)
        task.function, task.kill_at, task.reusable = function, kill_at, False
        # A task that switched to another here would be left where it stands: the other gives control to the
        # hub, and not back to it.
        if getcurrent() is self.greenlet:
            task.switch(True)
        else:
            self._posted.append(functools.partial(task.switch, True))

    def post(self, function: Callable[[], None]) -> None:
        """Have ``function`` called in the hub; from any thread."""
        self._posted.append(function)
        os.eventfd_write(self._bell, 1)

    def pause(self, until: float) -> bool:
        """Let the others run, until something switches to this task.

        Returns:
            Whether it did; False where the time was over first.

        Raises:
            Killed: the task's own time is over.
        """
        task: Task = getcurrent()
        until = min(until, task.kill_at)
        task.wake_at = until
        if until < FOREVER:
            number = int(until * _TICKS) + 1
            # A timer that lies in an earlier bin stays there: it rings too early and is filed anew. Most
            # waits end before their time, and cost nothing so.
            if not 0 < task.bin <= number:
                self._file(task, number)
        # The hub gets control back here, and gives it back with ``switch(True)``, or False at the time's end.
        woken: bool = self.greenlet.switch()
        if not woken and task.kill_at <= time.monotonic():
            raise Killed
        return woken

    def hurry(self) -> None:
        """Let the next round begin without a pause; called in the hub or in a task."""
        self._posted.append(_nothing)

    def end(self, task: Task) -> bool:
        """Forget a task's timer, and close what it has left open; let it wait for its next function.

        A new task wants a new stack, which costs system calls.

        Returns:
            True when it has a next function; False where it is not wanted any more.
        """
        self._unfile(task)
        for sock in list(task.sockets):
            sock.close()
        if not task.reusable or len(self._resting) >= _MAX_RESTING:
            return False
        self._resting.append(task)
        self.greenlet.switch()
        return True

    def watch(self, descriptor: int, watcher: Watcher) -> None:
        """Call ``watcher`` at every change of a descriptor, until ``unwatch`` or its end."""
        self.watchers[descriptor] = watcher
        self._epoll.register(descriptor, _EDGES)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor that is about to be closed."""
        self.watchers.pop(descriptor, None)

    def stop(self) -> None:
        """Let ``run`` return after this round."""
        self._stopped = True

    def run(self) -> None:
        """Run the tasks until ``stop``."""
        epoll, watchers = self._epoll, self.watchers
        handled, crowded, window = 0, False, time.monotonic()
        while not self._stopped:
            self.round += 1
            found = epoll.poll(self._sleep(), _MAX_EVENTS)
            handled += len(found)
            for descriptor, events in found:
                watcher = watchers.get(descriptor)
                if watcher is not None:
                    watcher.on_events(events)
                elif descriptor == self._bell:
                    os.eventfd_read(self._bell)
            # As many as there are now: what these post in turn waits for the next round, after the sockets.
            for _ in range(len(self._posted)):
                self._posted.popleft()()
            if self._order and self._order[0] <= time.monotonic() * _TICKS:
                self._ring()
            for function in self.each_round:
                function()
            now = time.monotonic()
            if now - window >= _WINDOW:
                crowded = handled > _CROWD * (now - window)
                handled, window = 0, now
            if crowded and len(found) < _FEW and not self._posted:
                time.sleep(_GATHER)

    def _sleep(self) -> float:
        if self._posted:
            return 0.0
        if not self._order:
            return _MAX_SLEEP
        return min(_MAX_SLEEP, max(0.0, self._order[0] / _TICKS - time.monotonic()))

    def _file(self, task: Task, number: int) -> None:
        self._unfile(task)
        task.bin = number
        found = self._bins.get(number)
        if found is None:
            found = self._bins[number] = set()
            heapq.heappush(self._order, number)
        found.add(task)

    def _unfile(self, task: Task) -> None:
        found = self._bins.get(task.bin)
        if found is not None:
            found.discard(task)
        task.bin = 0

    def _ring(self) -> None:
        """Wake the tasks whose time is over; file the others anew."""
        now = time.monotonic()
        while self._order and self._order[0] <= now * _TICKS:
            for task in self._bins.pop(heapq.heappop(self._order)):
                task.bin = 0
                if task.dead:
                    continue
                if task.wake_at <= now:
                    task.switch(False)
                elif task.wake_at < FOREVER:
                    self._file(task, int(task.wake_at * _TICKS) + 1)


def _nothing() -> None:
    pass
