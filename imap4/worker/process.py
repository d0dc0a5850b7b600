"""One worker process: the hub, its dispatcher and its connections to the core, from start to drain."""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence

from imap4.handover.client import VARIABLE
from imap4.worker.core_connection import CoreConnection
from imap4.worker.handlers import handlers
from imap4.worker.jobs.dispatcher import Dispatcher
from imap4.worker.jobs.plans import Planner
from imap4.worker.journal import Journal
from imap4.worker.loop.hub import HUNG_UP, Hub
from imap4.worker.pulse import Pulse
from imap4.worker.serving import Server
from imap4.worker.settings import Limits, Settings
from imap4.worker.statistics import Statistics

_PUBLISH = 0.5
"""Seconds between two sets of figures for the supervisor."""

_LAST_RECORDS = 2.0
"""Seconds that a disk gets for the last records."""

_OTHER_DESCRIPTORS = 300
"""Room for the resolver's, the core's and our own."""

_DECLINING = 50
"""Of them for programs that are told that there is no room."""


def run(
    settings: Settings,
    pulse: Pulse,
    journals: Sequence[Journal],
    held: Sequence[int | None],
    control: socket.socket,
    listener: socket.socket | None = None,
) -> int:
    """Be a worker until SIGTERM or SIGABRT, or until the supervisor is gone.

    Args:
        journals: one for each of the names that the worker registers for.
        held: descriptors of the connections that a predecessor had; None to register anew.
        control: leads to the supervisor; its end of file means that the supervisor is gone.
        listener: where programs hand their checks over, shared with the other workers.

    Returns:
        The exit code.
    """
    limits = raise_limits(settings.limits, 1 if listener is None else 2)
    # What the supervisor has made is never looked at again, so that its pages stay shared after the fork.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # hardly anything here is a cycle
    # Programs that we run must not hand back to us what we cannot do, or what has ended us.
    os.environb[VARIABLE] = b"off"
    hub = Hub()
    statistics = Statistics()
    pace, silence = handlers(settings.monitors)
    planner = Planner(settings.plugins, settings.naemon, () if settings.checks_only else (pace, silence))
    dispatcher = Dispatcher(hub, planner, limits, statistics, settings.naemon)
    tell = _Control(control).tell
    cores = [
        CoreConnection(hub, dispatcher, journals[number], settings, number, held[number], tell)
        for number in range(len(settings.names))
    ]
    hub.each_round.append(pulse.beat)
    server = None
    if listener is not None:
        server = Server(hub, dispatcher, planner, pace, listener, limits.max_jobs + _DECLINING)
    life = _Life(hub, cores, server, settings.grace)
    # A terminal's and the unit's; the supervisor passes on its own. Programs inherit that they are ignored,
    # so that the unit's stop lets them come to their end.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # systemd's watchdog sends SIGABRT to all, though it means the supervisor alone.
    for number in (signal.SIGTERM, signal.SIGABRT):
        signal.signal(number, lambda *_: hub.post(life.drain))
    hub.watch(control.fileno(), life)

    def publish() -> None:
        while True:
            pulse.publish(_figures(statistics, dispatcher, cores))
            hub.pause(time.monotonic() + _PUBLISH)

    hub.spawn(publish)
    hub.run()
    for core in cores:
        core.close()
    dispatcher.recorder.close(_LAST_RECORDS)
    return 0


class _Life:
    """When to end."""

    def __init__(
        self, hub: Hub, cores: Sequence[CoreConnection], server: Server | None, grace: float
    ) -> None:
        self._hub = hub
        self._cores = cores
        self._server = server
        self._grace = grace
        self._end: float | None = None

    def on_events(self, events: int) -> None:
        """The supervisor never writes; where its end is closed, it is gone."""
        if events & HUNG_UP:
            self.drain()

    def drain(self) -> None:
        """End as soon as no job is under way, so that none is lost; at the latest after the grace."""
        if self._end is None:
            self._end = time.monotonic() + self._grace
            if self._server is not None:
                self._server.close()
            self._hub.each_round.append(self._look)

    def _look(self) -> None:
        assert self._end is not None
        idle = all(core.idle for core in self._cores) and (self._server is None or self._server.idle)
        if idle or time.monotonic() >= self._end:
            self._hub.stop()


class _Control:
    """Tells the supervisor about the connections to the core."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def tell(self, number: int, descriptor: int | None) -> None:
        """Send a registration's number, and the descriptor to be held for it; none to release it."""
        try:
            socket.send_fds(self._control, [bytes([number])], [] if descriptor is None else [descriptor])
        except OSError as error:  # the supervisor is gone: we shall soon be told
            print(f"imap4-worker[{os.getpid()}]: supervisor: {error}", file=sys.stderr, flush=True)


def _figures(
    statistics: Statistics, dispatcher: Dispatcher, cores: Sequence[CoreConnection]
) -> dict[str, object]:
    figures = statistics.figures()
    figures["running"] = dispatcher.running
    figures["waiting"] = dispatcher.waiting
    figures["connected"] = int(bool(cores) and cores[0].connected)
    for pool in dispatcher.pools:
        figures[f"threads_{pool.name}"] = pool.taken
    usage = resource.getrusage(resource.RUSAGE_SELF)
    figures["cpu"] = usage.ru_utime + usage.ru_stime
    return figures


def raise_limits(limits: Limits, each: int = 1) -> Limits:
    """See to it that every probe can have its descriptors; where that cannot be, take fewer jobs.

    Args:
        each: descriptors of a job: that of its probe, and of the program that waits for it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = each * limits.max_jobs + _OTHER_DESCRIPTORS + 8 * limits.max_programs
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = (soft - _OTHER_DESCRIPTORS - 8 * limits.max_programs) // each
    return limits._replace(max_jobs=max(1, min(limits.max_jobs, room)))
