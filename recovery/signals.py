"""How a process ends otherwise than it meant to: by a signal, or by an error of our own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


class Signalled(BaseException):
    """A signal ended us. Not an Exception: nothing on the way may take it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)


@contextmanager
def signals() -> Iterator[None]:
    """Turn the signals that engines and people send into :class:`Signalled` while the block runs."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Signalled(number)

    caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def internal(error: Exception) -> str:
    """An error of our own in one line: its kind and where it was raised. Its text may quote a secret,
    so it is left out."""
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"internal error, please report it: {type(error).__name__} at {place}"
