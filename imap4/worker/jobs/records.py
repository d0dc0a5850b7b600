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


class Written:
    """What became of a line, for who wants to know (``-v``)."""

    __slots__ = ("trouble",)

    def __init__(self) -> None:
        self.trouble: str | None = None
        """None while it waits; what was wrong, or nothing."""


class Recorder:
    """Collects lines in the hub and appends them in its thread. The thread begins with the first line."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: list[tuple[str, bytes, Written | None]] = []
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._told = -_TELL_AGAIN

    def put(
        self, options: Options, results: Sequence[ProbeResult], code: int, output: bytes
    ) -> Written | None:
        """Note a test that has just ended. Never raises, never waits.

        Returns:
            With ``-v``, where the thread says what became of it; for others it is not worth the memory.
        """
        if options.record is None:
            return None
        written = Written() if options.verbose else None
        if len(self._waiting) >= _MOST:
            self.dropped += 1
            if written is not None:
                written.trouble = "not recorded: too many records wait for the disk"
            return written
        try:
            text = output.decode("utf-8", "replace") if code else ""
            self._waiting.append((options.record, line(options, results, code, text, time.time()), written))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="records", daemon=True)
                self._thread.start()
        except Exception as error:
            trouble = f"not recorded: {error!r}"
            self._tell(trouble)
            if written is not None:
                written.trouble = trouble
        return written

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
        folders: dict[str, list[tuple[bytes, Written | None]]] = {}
        for folder, text, written in waiting:
            folders.setdefault(folder, []).append((text, written))
        for folder, lines in folders.items():
            size = sum(len(text) for text, _ in lines)
            count = max(1, _LARGEST * len(lines) // size)
            for first in range(0, len(lines), count):
                together = lines[first : first + count]
                trouble = append(folder, b"".join([text for text, _ in together]), time.time())
                for _, written in together:
                    if written is not None:
                        written.trouble = trouble
                if trouble:
                    self._tell(trouble)

    def _tell(self, trouble: str) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_AGAIN:
            self._told = now
            print(f"imap4-worker: {trouble}", file=sys.stderr, flush=True)
