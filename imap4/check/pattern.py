"""``--expect``: a user's regular expression on a stranger's text, under the deadline."""

from __future__ import annotations

import re
import signal
import threading
from types import FrameType
from typing import NoReturn

from imap4.causes import Failed
from imap4.check.options import UsageError
from imap4.deadline import Deadline

_CHILD = """
import re, sys
pattern, text = sys.stdin.read().split(chr(0), 1)
print("yes" if re.search(pattern, text) else "no", end="")
"""


def found(pattern: str, text: str, deadline: Deadline) -> bool:
    """Whether ``pattern`` is found in ``text``.

    Python's matcher can take for ever on a text that was made for it. It looks for signals as it goes, so
    that a timer stops it; but only in the main thread. In another one, which holds up all others while it
    matches, such a pattern is matched in a child process.

    Raises:
        Failed: ``greeting.timeout``.
        UsageError: the child process could not do it, for which the server is not to blame.
    """
    text = text.replace("\0", " ")
    if is_quick(pattern):
        return re.search(pattern, text) is not None
    try:
        if threading.current_thread() is threading.main_thread():
            return _under_a_timer(pattern, text, deadline)
        return _in_a_child(pattern, text, deadline)
    except TimeoutError:
        raise Failed(
            "greeting.timeout", f"pattern not matched within {deadline.seconds:g} s", out_of_time=True
        ) from None


def is_quick(pattern: str) -> bool:
    """Whether matching cannot take for ever.

    Without repeats, time depends on the pattern alone; with one and without groups, it grows with the
    square of the text's length.
    """
    repeats = sum(map(pattern.count, "*+?{"))
    return not repeats or (repeats == 1 and "(" not in pattern)


def _under_a_timer(pattern: str, text: str, deadline: Deadline) -> bool:
    def over(_number: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    # The caller may have blocked the signal; a mask is inherited (signal(7)).
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    try:
        try:
            # 0 would disarm it.
            signal.setitimer(signal.ITIMER_REAL, max(deadline.left, 0.001))
            return re.search(pattern, text) is not None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGALRM, before)


def _in_a_child(pattern: str, text: str, deadline: Deadline) -> bool:
    """Only the word that it prints counts: a caller that ignores SIGCHLD makes every exit status 0."""
    import subprocess
    import sys

    try:
        child = subprocess.run(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", _CHILD],
            input=f"{pattern}\0{text}".encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max(deadline.left, 0.001),
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    except OSError as error:
        raise UsageError(f"argument -e/--expect: no process to match the pattern: {error.strerror}") from None
    if child.stdout in (b"yes", b"no"):
        return child.stdout == b"yes"
    code = child.returncode
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    raise UsageError(f"argument -e/--expect: the process that matched the pattern {how}")
