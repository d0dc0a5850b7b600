"""Records of tests for reports, written by a thread of their own: a slow disk must not hold the worker."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

from imap4.check.options import Options
from imap4.check.probe import ProbeResult
from imap4.check.record import line
from imap4.handover.record_file import append

EVERY = 0.5
"""Seconds between two writes; so much is lost where the process is killed."""

_MOST = 100_000
"""Lines that may wait for a disk that does not take them."""

_LARGEST = 65536
"""Bytes of one write, about."""

_TELL_AGAIN = 60.0


class Recorder:
    """Collects lines in the hub and appends them in its thread. The thread begins with the first line."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: list[tuple[str, bytes]] = []
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._told = -_TELL_AGAIN

    def put(self, options: Options, results: Sequence[ProbeResult], code: int, output: bytes) -> None:
        """Note a test that has just ended. Never raises, never waits."""
        if options.record is None:
            return
        if len(self._waiting) >= _MOST:
            self.dropped += 1
            return
        try:
            text = output.decode("utf-8", "replace") if code else ""
            self._waiting.append((options.record, line(options, results, code, text, time.time())))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="records", daemon=True)
                self._thread.start()
        except Exception as error:
            self._tell(f"not recorded: {error!r}")

    def close(self, patience: float) -> None:
        """Write what waits; at the latest after ``patience`` seconds it is given up."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(patience)

    def _work(self) -> None:
        while not self._closing.wait(EVERY):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        folders: dict[str, list[bytes]] = {}
        for folder, text in waiting:
            folders.setdefault(folder, []).append(text)
        for folder, lines in folders.items():
            while lines:
                count = max(1, _LARGEST * len(lines) // sum(map(len, lines)))
                trouble = append(folder, b"".join(lines[:count]), time.time())
                del lines[:count]
                if trouble:
                    self._tell(trouble)

    def _tell(self, trouble: str) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_AGAIN:
            self._told = now
            print(f"imap4-worker: {trouble}", file=sys.stderr, flush=True)
