"""Messages for the person, written in a thread: a terminal that was stopped must not stop the tests."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable

_MOST = 1000


class Messages:
    """Lines for standard error."""

    def __init__(self, show: Callable[[str], bool]) -> None:
        """
        Args:
            show: prints above a progress display; False where there is none.
        """
        self._show = show
        self._queue: queue.Queue[str | None] = queue.Queue(_MOST)
        self._thread = threading.Thread(target=self._work, name="messages", daemon=True)
        self._thread.start()

    def tell(self, text: str) -> None:
        """Tell; lost where a thousand wait already. From any thread."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(f"imap4-worker sweep: {text}")

    def close(self, seconds: float) -> None:
        """Wait until all is told, for so long at most."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (text := self._queue.get()) is not None:
            if not self._show(text):
                with contextlib.suppress(OSError):
                    os.write(2, f"{text}\n".encode("utf-8", "replace"))
