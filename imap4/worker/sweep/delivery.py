"""Results on their way out: a bounded queue and a thread for each receiver, so that no test ever waits."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from imap4.worker.sweep.results import Result

_BATCH = 100
_BACKOFF = (0.5, 30.0)
"""Seconds between two attempts, the first and the longest."""

_SAY_AGAIN = 60.0
"""Seconds after which a trouble that lasts is told again."""

_REFUSED_AGAIN = 3600.0
"""The same for results that are not wanted: each is one monitor's, and comes at every test."""

_MOST_REFUSALS = 1000


class Unreachable(Exception):
    """The receiver has not taken a result, and may take it later."""


class Unwanted(Exception):
    """The receiver does not want the first of the results, now or later."""


class Gone(Exception):
    """The receiver will never take anything again."""


class Receiver(Protocol):
    """Where results go."""

    name: str
    """As messages name it."""

    def send(self, results: Sequence[Result]) -> int:
        """Hand over as many as can be handed over in one step; how many of the first these were.

        Called in a thread of its own; must have a time limit where its peer is an engine.

        Raises:
            Unreachable, Unwanted, Gone: none of them was taken.
        """
        ...


class Delivery:
    """A receiver's queue."""

    def __init__(
        self,
        receiver: Receiver,
        limit: int,
        tell: Callable[[str], None],
        on_gone: Callable[[], None],
    ) -> None:
        """
        Args:
            limit: how many results may wait; then the oldest is dropped.
            tell: takes a line for the person; called in any thread, must not wait.
            on_gone: called once, in the delivery's thread, when the receiver is gone.
        """
        self.dropped = 0
        """Results that were lost: for lack of room, or because they were not wanted."""
        self._receiver = receiver
        self._limit = limit
        self._tell = tell
        self._on_gone = on_gone
        self._queue: collections.deque[Result] = collections.deque()
        self._held = 0
        """Results that the thread has taken out of the queue, and are not delivered yet."""
        self._changed = threading.Condition()
        self._closing = False
        self._over = False
        self._overflow = 0
        """Results dropped for lack of room since that was last told to be over."""
        self._told = ("", 0.0)
        self._refusals: dict[str, float] = {}
        threading.Thread(target=self._work, name="delivery", daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many results are not delivered yet."""
        return len(self._queue) + self._held

    def put(self, result: Result) -> None:
        """Take a result; never waits for the receiver."""
        full = False
        with self._changed:
            if self._over:
                self.dropped += 1
                return
            if self.waiting >= self._limit and self._queue:
                self._queue.popleft()
                self.dropped += 1
                self._overflow += 1
                full = self._overflow == 1
            self._queue.append(result)
            self._changed.notify()
        if full:
            self._tell(f"{self._receiver.name}: {self._limit} results wait; the oldest are dropped")

    def close(self, seconds: float) -> int:
        """Deliver what waits, for so long at most; how many results were not delivered in all."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            self._changed.wait_for(lambda: self._over, seconds)
            lost = self.waiting + self.dropped
        if lost:
            self._tell(f"{self._receiver.name}: results not delivered: {lost}")
        return lost

    def _work(self) -> None:
        try:
            while batch := self._next():
                self._deliver(batch)
        except Gone:
            self._on_gone()
        finally:
            with self._changed:
                self._over = True
                self._changed.notify()

    def _next(self) -> list[Result]:
        """The next results; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            self._held = len(batch)
            return batch

    def _deliver(self, batch: list[Result]) -> None:
        pause = _BACKOFF[0]
        while batch:
            taken = 0
            try:
                taken = self._receiver.send(batch)
                self._well()
                pause = _BACKOFF[0]
            except Unwanted as refusal:
                self._refused(str(refusal))
                self.dropped += 1
                taken = 1
            except Unreachable as trouble:
                self._say(str(trouble))
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)
                if self._closing:
                    time.sleep(_BACKOFF[0] / 5)  # nothing to wait for but the receiver itself
                pause = min(2 * pause, _BACKOFF[1])
            del batch[:taken]
            with self._changed:
                self._held = len(batch)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if text != self._told[0] or now - self._told[1] >= _SAY_AGAIN:
            self._told = (text, now)
            self._tell(text)

    def _refused(self, text: str) -> None:
        now = time.monotonic()
        if now - self._refusals.get(text, -_REFUSED_AGAIN) >= _REFUSED_AGAIN:
            if len(self._refusals) >= _MOST_REFUSALS:
                self._refusals.clear()
            self._refusals[text] = now
            self._tell(text)

    def _well(self) -> None:
        if self._told[0] or self._overflow:
            with self._changed:
                dropped, self._overflow = self._overflow, 0
            self._told = ("", 0.0)
            lost = f"; results dropped: {dropped}" if dropped else ""
            self._tell(f"{self._receiver.name}: takes results again{lost}")
