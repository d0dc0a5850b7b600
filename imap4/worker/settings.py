"""What ``imap4-worker`` was told on its command line, and how much a process may do at a time."""

from __future__ import annotations

from typing import NamedTuple

HANDLED = ("imap4-monitor", "/bin/true")
"""What ``imap4-monitor render`` has Nagios and Naemon run at every failing test, as a core matches it: the
event handler by its base name, the silent notification, which has no arguments, by its path."""


class Limits(NamedTuple):
    """How much one process may do at a time."""

    max_jobs: int = 2000
    """Jobs under way; the others wait for their turn."""
    max_resolvers: int = 64
    """Threads that ask the resolver, the hung ones included; as many read files."""
    max_programs: int = 32
    """Programs at a time, for the jobs that cannot be run in the process."""


class Settings(NamedTuple):
    """Shared by the supervisor and its workers."""

    core: str
    """Path of the core's query handler socket; empty for none: programs alone are served."""
    register: str = "check_imap4"
    """The plugin to register for, as the core matches it: a path or a base name."""
    plugins: tuple[str, ...] = ()
    """More paths of programs that are this plugin."""
    monitors: tuple[str, ...] = ()
    """More paths of programs that are this imap4-monitor."""
    workers: int = 2
    limits: Limits = Limits()
    naemon: bool = False
    stall: float = 2.0
    """Seconds without a heartbeat after which a worker is ended."""
    grace: float = 15.0
    """Seconds that a worker gets to answer its jobs when it is told to stop."""
    socket: str | None = None
    """Where ``imap4-worker status`` asks."""
    serve: str | None = None
    """Where programs hand their checks over."""
    checks_only: bool = False
    """Whether event handlers and silent notifications are left to the core's own workers."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each worker registers for, the plugin first; a connection each, for Nagios takes one name."""
        if not self.core:
            return ()
        return (self.register, *(() if self.checks_only else HANDLED))
