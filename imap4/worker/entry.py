"""``imap4-worker``: ``sweep`` goes to monitor.sweep, everything else to imap4.worker.

Here, because the worker knows no definitions (``imap4`` imports nothing of ``monitor``), and the sweep
needs both.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from imap4.children import count_exit_codes


def run() -> NoReturn:
    """The program."""
    count_exit_codes()
    if sys.argv[1:2] == ["sweep"]:
        from imap4.worker.sweep.cli import main

        sys.exit(main(sys.argv[2:]))
    from imap4.worker.cli import run as work

    work()
