"""A sweep from start to end: hub, schedule, deliveries, display, signals."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.model import Monitor
from imap4.worker.jobs.plans import Planner
from imap4.worker.loop.hub import Hub
from imap4.worker.process import raise_limits
from imap4.worker.settings import Limits
from imap4.worker.sweep.delivery import Delivery, Receiver
from imap4.worker.sweep.display import EVERY, Display, Tally
from imap4.worker.sweep.messages import Messages
from imap4.worker.sweep.receivers import Lines
from imap4.worker.sweep.results import Result, as_json, as_text, worst
from imap4.worker.sweep.schedule import Sweep


@dataclass(frozen=True)
class SweepSettings:
    """What the command line said; times in seconds."""

    program: str
    """``check_imap4``'s path."""
    limits: Limits
    once: bool
    length: float | None
    """After which it ends; None for never."""
    spread: float
    grace: float
    """For the tests under way at the end, and again for the deliveries."""
    queue: int
    """How many results may wait for a receiver."""
    json: bool
    records: str = ""
    """The folder for records of tests; empty for none."""


def run(monitors: Sequence[Monitor], receivers: Sequence[Receiver], settings: SweepSettings) -> int:
    """Test until told to stop; the exit code comes back."""
    tally = Tally(len(monitors))
    display = Display(tally, settings.once)
    messages = Messages(display.show)
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # hardly anything here is a cycle
    hub = Hub()
    limits = raise_limits(settings.limits)
    deliveries: list[Delivery] = []

    def told(result: Result) -> None:
        tally.add(result)
        for delivery in deliveries:
            delivery.put(result)

    sweep = Sweep(
        hub,
        Planner((settings.program,)),
        limits,
        Programs(check=settings.program, records=settings.records),
        told,
    )

    def stop() -> None:
        sweep.stop(settings.grace)

    def gone() -> None:
        hub.post(stop)

    # Where engines take the results, a person's output may break off without harm.
    wanted = settings.json or not receivers
    lines = Lines(as_json if settings.json else as_text, settings.json, display.show_line)
    deliveries.append(Delivery(lines, settings.queue, messages.tell, gone if wanted else lambda: None))
    deliveries += [Delivery(each, settings.queue, messages.tell, gone) for each in receivers]
    _on_signals(lambda *_: hub.post(stop))
    with display:
        if settings.length is not None:
            hub.spawn(_at(hub, time.monotonic() + settings.length, stop))
        hub.spawn(_show(hub, display, sweep, deliveries))
        sweep.start(monitors, settings.spread, settings.once)
        hub.run()
    sweep.close()
    # What is left are the deliveries: whoever is told to stop once more stops at once.
    _on_signals(signal.SIG_DFL)
    end = time.monotonic() + settings.grace
    lost = [delivery.close(max(0.0, end - time.monotonic())) for delivery in deliveries]
    messages.tell(tally.summary())
    messages.close(1.0)
    codes = set(tally.codes.values()) if settings.once else set()
    untested = settings.once and len(tally.codes) < len(monitors)
    incomplete = untested or any(lost if wanted else lost[1:])
    return worst(codes | ({3} if incomplete else set()))


def _on_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _at(hub: Hub, moment: float, what: Callable[[], None]) -> Callable[[], None]:
    """A task that does something at a moment of the monotonic clock."""

    def task() -> None:
        hub.pause(moment)
        what()

    return task


def _show(hub: Hub, display: Display, sweep: Sweep, deliveries: Sequence[Delivery]) -> Callable[[], None]:
    """A task that keeps the display up to date."""

    def task() -> None:
        while True:
            display.update(sweep.under_way, sum(delivery.waiting for delivery in deliveries))
            hub.pause(time.monotonic() + EVERY)

    return task
