"""Child processes, where the caller of the program has left something of its own behind."""

from __future__ import annotations

import signal


def count_exit_codes() -> None:
    """Undo an ignored SIGCHLD, which some daemons hand on to what they start.

    With it the kernel forgets how a child ended (wait(2), "ECHILD"), and subprocess then says 0: a check
    that never ran would pass, and a repair would be proven by it. For the start of every program that
    goes by exit codes; in its main thread.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
