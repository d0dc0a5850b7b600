"""When each monitor is tested: one task a monitor, on its own delays, all of them in one thread.

To the worker's dispatcher, a sweep is a core: it hands jobs over and reads their answers.
"""

from __future__ import annotations

import collections
import shlex
import time
from collections.abc import Callable, Sequence

from greenlet import getcurrent

from imap4.monitor.engines.command_lines import Programs, recorded_arguments
from imap4.monitor.model import Monitor
from imap4.monitor.states import Position, advance
from imap4.text import clean
from imap4.worker import core_messages
from imap4.worker.jobs.dispatcher import Dispatcher
from imap4.worker.jobs.plans import Planner
from imap4.worker.loop.hub import FOREVER, Hub, Task
from imap4.worker.settings import Limits
from imap4.worker.statistics import Statistics
from imap4.worker.sweep.results import Result

PATIENCE = 60.0
"""Seconds over a test's duration until a test that does not end (its files hang, the resolver's threads
are all taken) is given up; the check keeps its own time."""


_LAST_RECORDS = 2.0
"""Seconds that a disk gets for the last records."""


class _Turns:
    """So many tests at a time; the others wait in their order, and their time does not run yet."""

    def __init__(self, limit: int, hub: Hub) -> None:
        self._left = limit
        self._hub = hub
        self._waiting: collections.deque[Task] = collections.deque()

    def take(self) -> None:
        if self._left:
            self._left -= 1
        else:
            self._waiting.append(getcurrent())
            self._hub.pause(FOREVER)

    def give(self) -> None:
        if self._waiting:
            task = self._waiting.popleft()
            self._hub.post(lambda: task.switch(True))
        else:
            self._left += 1


class Sweep:
    """Tests monitors until it is told to stop, or each of them once."""

    def __init__(
        self, hub: Hub, planner: Planner, limits: Limits, programs: Programs, told: Callable[[Result], None]
    ) -> None:
        """
        Args:
            programs: ``check_imap4``'s path, one that ``planner`` knows as this plugin, and where to record.
            told: called with every result; must not wait.
        """
        self.under_way = 0
        self._hub = hub
        self._planner = planner
        self._programs = programs
        self._told = told
        # Where it made a test wait for its turn, the test's time would run; so its bound is above ours.
        room = limits._replace(max_jobs=limits.max_jobs + limits.max_programs)
        self._dispatcher = Dispatcher(hub, planner, room, Statistics(), naemon=False)
        self._turns = _Turns(limits.max_jobs, hub)
        self._program_turns = _Turns(limits.max_programs, hub)
        self._left = 0
        self._stopping = False

    def start(self, monitors: Sequence[Monitor], spread: float, once: bool) -> None:
        """Begin; called in the hub.

        Args:
            spread: seconds over which the first tests are spread evenly.
            once: whether to end after each monitor's first test.
        """
        begin = time.monotonic()
        self._left = len(monitors)
        for number, monitor in enumerate(monitors):
            first = begin + spread * number / len(monitors)
            self._hub.spawn(lambda monitor=monitor, first=first: self._watch(monitor, first, once))  # type: ignore[misc]

    def stop(self, grace: float) -> None:
        """Begin no more tests; end when those under way have, at the latest after ``grace`` seconds."""
        if self._stopping:
            self._hub.stop()
            return
        self._stopping = True
        self._end_if_done()
        end = time.monotonic() + grace

        def give_up() -> None:
            self._hub.pause(end)
            self._hub.stop()

        self._hub.spawn(give_up)

    def close(self) -> None:
        """Write the last records; called when the hub has ended."""
        self._dispatcher.recorder.close(_LAST_RECORDS)

    def _watch(self, monitor: Monitor, first: float, once: bool) -> None:
        """The task of one monitor."""
        task: Task = getcurrent()
        command = shlex.join(recorded_arguments(monitor, self._programs)).encode()
        position = Position()
        self._hub.pause(first)
        while not self._stopping:
            plan = self._planner.plan(command, None)
            as_program = plan.options is None and plan.answer is None
            turns = self._program_turns if as_program else self._turns
            turns.take()
            if not self._stopping:
                before = position
                self.under_way += 1
                began = time.time()
                code, text = self._test(task, command, monitor.test_duration + PATIENCE)
                position = advance(monitor.rules, before, code == 0)
                self._told(Result(monitor, before.state, position, code, text, began, time.time()))
                self.under_way -= 1
            turns.give()
            if once or self._stopping:
                break
            self._hub.pause(time.monotonic() + position.delay)
        self._left -= 1
        self._end_if_done()

    def _test(self, task: Task, command: bytes, timeout: float) -> tuple[int, str]:
        """Have the worker test; exit code and output."""
        messages: list[bytes] = []

        def reply(message: bytes) -> None:
            messages.append(message)
            self._hub.post(lambda: task.switch(True))

        job = core_messages.Job(b"job_id=0\0", command, timeout, None)
        self._dispatcher.take(job, reply, time.monotonic())
        self._hub.pause(FOREVER)
        return _verdict(core_messages.parse_answer(messages[0]), timeout)

    def _end_if_done(self) -> None:
        if not self._left or (self._stopping and not self.under_way):
            self._hub.stop()


def _verdict(answer: core_messages.Answer, timeout: float) -> tuple[int, str]:
    """Exit code and output; UNKNOWN where the plugin has given no verdict."""
    if answer.timed_out:
        return 3, f"IMAP4 UNKNOWN - the test did not end within {timeout:g} s\n"
    code = answer.wait_status >> 8
    if not answer.output or answer.wait_status & 0xFF or code > 3:
        said = clean(answer.errors or answer.output, 200) or "it said nothing"
        return 3, f"IMAP4 UNKNOWN - check_imap4 gave no verdict: {said}\n"
    return code, answer.output.decode("utf-8", "replace")
