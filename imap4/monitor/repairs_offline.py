"""Definitions before the store of credentials: would their repairs be allowed, and can they be proven?

What the store holds is recovery's to know: it is asked as a program, and nothing of it is imported.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from imap4.monitor.engines import installed
from imap4.monitor.trouble import DONE, WRONG, Trouble

_PATIENCE = 120.0
"""Seconds for all repairs; no machine and no name server is asked."""


def compare(files: Sequence[str], recovery: str | None = None) -> int:
    """Print what ``imap4-recovery rehearse --offline`` says of the repairs; returns DONE or WRONG.

    Args:
        recovery: the program; None is the one beside ours.

    Raises:
        Trouble: it cannot be run, or could not look.
    """
    program = recovery or installed.beside("imap4-recovery")
    said, code = rehearse([program, "rehearse", "--offline", "--verbose", "--", *files])
    if code not in (0, 1):
        raise Trouble(f"validate: --recovery: {said}")
    print(said)
    return WRONG if code else DONE


def rehearse(command: Sequence[str], seconds: float = _PATIENCE, **settings: Any) -> tuple[str, int]:
    """What a rehearsal said, and its exit code: 0 all would work, 1 some would not, 3 it could not look.

    Args:
        settings: for ``subprocess``, to run it as somebody else.

    Raises:
        Trouble: it cannot be run, or takes too long.
    """
    sys.stdout.flush()
    try:
        ended = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            **{"stdin": subprocess.DEVNULL, **settings},
        )
    except OSError as error:
        raise Trouble(
            f"{command[0]} cannot be run: {error.strerror}; install recovery beside imap4-monitor, or give "
            "its path with --recovery-command"
        ) from None
    except subprocess.TimeoutExpired:
        raise Trouble(f"{command[0]} has said nothing within {seconds:g} s") from None
    text = ended.stdout.decode(errors="replace").rstrip()
    # What performance data there is in the first line is an engine's.
    first, *rest = text.split("\n")
    told = "\n".join([first.partition(" | ")[0], *rest])
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in told), ended.returncode
