"""``--expect``: a user's regular expression on a stranger's text, under the deadline."""

from __future__ import annotations

import re
import subprocess
import sys

from imap4.causes import Failed
from imap4.deadline import Deadline

_CHILD = "import re, sys; p, t = sys.stdin.read().split(chr(0), 1); sys.exit(not re.search(p, t))"


def found(pattern: str, text: str, deadline: Deadline) -> bool:
    """Whether ``pattern`` is found in ``text``.

    Python's matcher can take for ever on a text that was made for it, and no thread can stop it. So a
    pattern that could is matched in a child process, which can be ended.

    Raises:
        Failed: ``greeting.timeout``.
    """
    text = text.replace("\0", " ")
    if is_quick(pattern):
        return re.search(pattern, text) is not None
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", _CHILD],
            input=f"{pattern}\0{text}".encode("utf-8", "surrogateescape"),
            stderr=subprocess.DEVNULL,
            timeout=max(deadline.left, 0.001),
        )
    except subprocess.TimeoutExpired:
        raise Failed(
            "greeting.timeout", f"pattern not matched within {deadline.seconds:g} s", out_of_time=True
        ) from None
    return child.returncode == 0


def is_quick(pattern: str) -> bool:
    """Whether matching cannot take for ever.

    Without groups and with one repeat at most, time grows with the square of the text's length.
    """
    return "(" not in pattern and sum(map(pattern.count, "*+?{")) <= 1
