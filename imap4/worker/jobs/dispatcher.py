"""Jobs in, answers out: each at once or in its turn, here or as a program, always answered in time."""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from greenlet import getcurrent

from imap4.check.options import Options, UsageError
from imap4.check.probe import Preparation, ProbeResult, probe
from imap4.deadline import Deadline
from imap4.text import trouble_line, usage_line
from imap4.worker import core_messages
from imap4.worker.core_messages import Job
from imap4.worker.jobs.plans import Doing, Plan, Planner
from imap4.worker.jobs.program import ProgramEnd, execute
from imap4.worker.jobs.records import Recorder, Written
from imap4.worker.jobs.tls_contexts import Preparations
from imap4.worker.loop.hub import Hub, Killed, Task
from imap4.worker.loop.sockets import network, tls_socket
from imap4.worker.loop.threads import Pool
from imap4.worker.settings import Limits
from imap4.worker.statistics import Statistics

_SWEEP = 0.25
"""Seconds between looks at jobs that wait for their turn."""

_DYING = 1.0
"""Seconds that a killed program gets to be reaped before its job is answered without it."""

_WRITTEN = 2.0
"""Seconds that a test with ``-v`` waits at most to hear of its record."""

Reply = Callable[[bytes], None]


class Tested(NamedTuple):
    """What a test has found."""

    results: list[ProbeResult]
    """None where the test could not be run."""
    code: int
    output: bytes


class _Entry:
    """A job on its way."""

    __slots__ = ("came", "job", "kill_at", "plan", "reply", "start")

    def __init__(self, job: Job, plan: Plan, reply: Reply, came: float) -> None:
        self.job = job
        self.plan = plan
        self.reply = reply
        self.came = came
        # The core wants the time of day; what counts, and cannot be set back, is the monotonic clock.
        self.start = time.time() - (time.monotonic() - came)
        self.kill_at = came + job.timeout


class Dispatcher:
    """Runs jobs within bounds: so many at a time, and so many threads of each sort."""

    def __init__(
        self, hub: Hub, planner: Planner, limits: Limits, statistics: Statistics, naemon: bool
    ) -> None:
        self.running = 0
        self.statistics = statistics
        self.recorder = Recorder()
        self._hub = hub
        self._planner = planner
        self._max_jobs = limits.max_jobs
        self._naemon = naemon
        self._resolvers = Pool("resolver", limits.max_resolvers, hub.post)
        self._files = Pool("files", limits.max_resolvers, hub.post)
        self._programs = Pool("program", limits.max_programs, hub.post)
        self._waiting: dict[tuple[Pool, ...], collections.deque[_Entry]] = {}
        self._network = network(hub, self._resolvers)
        self._preparations = Preparations(tls_socket(hub))
        for pool in self.pools:
            pool.on_free = self._advance
        hub.spawn(self._sweep)

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The threads, by their sorts."""
        return self._resolvers, self._files, self._programs

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return sum(map(len, self._waiting.values()))

    def take(self, job: Job, reply: Reply, came: float, as_program: bool = False) -> None:
        """Have a job done.

        Args:
            reply: called in the hub, once, with the answer.
            came: when the job came; its time-out counts from then.
            as_program: whether it may not be run in this process.
        """
        self.statistics.came()
        if not job.command:
            self.statistics.refused += 1
            # As the core's own worker says it.
            reply(core_messages.refused(job, "Failed to parse commandline. Ignoring job"))
            return
        plan = self._planner.plan(job.command, job.environment)
        if as_program:
            plan = Plan(plan.program)
        entry = _Entry(job, plan, reply, came)
        needs = self._needs(plan)
        if self.running < self._max_jobs and all(pool.free for pool in needs):
            self._start(entry, needs)
        else:
            self._waiting.setdefault(needs, collections.deque()).append(entry)

    def test(self, plan: Plan) -> Tested | None:
        """In a task: run a test at once, without its record; None where there is no room for it."""
        needs = self._needs(plan)
        if self.running >= self._max_jobs or not all(pool.free for pool in needs):
            return None
        assert plan.options is not None
        came = time.monotonic()
        self.running += 1
        for pool in needs:
            pool.reserve()
        task: Task = getcurrent()
        task.reserved = set(needs)
        try:
            tested = Tested(*self._tested(plan.options, plan))
        finally:
            for unused in task.reserved:
                unused.cancel()
            self.running -= 1
            if self._waiting:
                self._hub.post(self._advance)
        self.statistics.served += 1
        self.statistics.states[tested.code] += 1
        self.statistics.took(time.monotonic() - came)
        return tested

    def apart(self, function: Callable[[], None]) -> bool:
        """In a task: have ``function`` look at files, in a thread; False where none is free."""
        return self._files.free and self._files.run(function, self._hub)

    def _needs(self, plan: Plan) -> tuple[Pool, ...]:
        """The sorts of threads that a job will want."""
        if plan.answer is not None or plan.doing is not None:
            return ()
        if plan.options is None:
            return (self._programs,)
        files = plan.files and self._preparations.ready(plan.options) is None
        return (self._files,) * files + (self._resolvers,) * plan.names

    def _start(self, entry: _Entry, needs: tuple[Pool, ...]) -> None:
        self.running += 1
        # Before it begins: a test that waited for a thread would wait with its time running.
        for pool in needs:
            pool.reserve()
        self._hub.spawn(lambda: self._run(entry, needs), entry.kill_at)

    def _run(self, entry: _Entry, needs: tuple[Pool, ...]) -> None:
        """The task of one job."""
        task: Task = getcurrent()
        task.reusable, task.reserved = not needs, set(needs)
        try:
            answer = self._answer(entry)
        except Killed:
            answer = self._timed_out(entry)
        except Exception as error:  # one bad job must not end the process, nor go without an answer
            text = trouble_line("IMAP4", error).encode("utf-8", "replace")
            answer = self._finished(entry, 3, text)
        for pool in task.reserved:
            pool.cancel()
        self.running -= 1
        self.statistics.took(time.monotonic() - entry.came)
        entry.reply(answer)
        if self._waiting:
            self._advance()

    def _answer(self, entry: _Entry) -> bytes:
        plan = entry.plan
        if plan.answer is not None:
            return self._finished(entry, *plan.answer)
        if plan.doing is not None:
            return self._done(entry, plan.doing)
        if plan.options is None:
            return self._program(entry)
        return self._finished(entry, *self._check(plan))

    def _done(self, entry: _Entry, doing: Doing) -> bytes:
        """Something that is no check."""
        self.statistics.handled += 1
        done = doing(entry.start, self._pause)
        return core_messages.finished(
            entry.job, entry.start, time.time(), done.code << 8, done.output, done.errors
        )

    def _pause(self, seconds: float) -> None:
        self._hub.pause(time.monotonic() + seconds)

    def _check(self, plan: Plan) -> tuple[int, bytes]:
        """A test, and its record."""
        options = plan.options
        assert options is not None
        self.statistics.in_process += 1
        results, code, output = self._tested(options, plan)
        written = self.recorder.put(options, results, code, output)
        if written is not None:
            output += self._trouble(written)
        return code, output

    def _trouble(self, written: Written) -> bytes:
        """What is wrong with a record, for ``-v``, as a check by itself says it."""
        patience = time.monotonic() + _WRITTEN
        while written.trouble is None and time.monotonic() < patience:
            self._pause(0.05)
        trouble = "not recorded yet: the disk is slow" if written.trouble is None else written.trouble
        return f"{trouble}\n".encode("utf-8", "replace") if trouble else b""

    def _tested(self, options: Options, plan: Plan) -> tuple[list[ProbeResult], int, bytes]:
        """The plugin's story (check_imap4.main), with other sockets."""
        templates = plan.templates
        assert templates is not None
        results: list[ProbeResult] = []
        try:
            deadline = Deadline(options.timeout)
            results = probe(options, self._prepared(plan, deadline), deadline, self._network)
        except UsageError as error:
            return results, 3, usage_line(options.name, error).encode("utf-8", "replace")
        except Exception as error:
            return results, 3, trouble_line(options.name, error).encode("utf-8", "replace")
        for result in results:
            if result.failure is not None:
                self.statistics.failed(result.failure.cause)
        return results, *templates.verdict(results)

    def _prepared(self, plan: Plan, deadline: Deadline) -> Preparation:
        options = plan.options
        assert options is not None
        if not plan.files:
            return _NOTHING
        ready = self._preparations.ready(options)
        if ready is not None:
            return ready
        made: list[Preparation | Exception] = []

        def make() -> None:
            try:
                made.append(self._preparations.make(options, deadline))
            except Exception as error:
                made.append(error)

        # Files have no time-out but the job's own, as in the plugin.
        self._files.run(make, self._hub)
        if isinstance(made[0], Exception):
            raise made[0]
        return made[0]

    def _program(self, entry: _Entry) -> bytes:
        self.statistics.programs += 1
        job = entry.job
        assert job.command is not None
        command, variables = job.command, core_messages.parse_environment(job.environment or b"")
        ended: list[ProgramEnd] = []

        def run() -> None:
            try:
                ended.append(execute(command, variables, entry.kill_at, self._naemon))
            except Exception as error:  # out of descriptors, processes or memory
                ended.append(ProgramEnd(3 << 8, b"", os.fsencode(f"cannot run it: {error}\n")))

        # The thread ends the program at its time; only where that takes too long is the task itself ended.
        task: Task = getcurrent()
        task.kill_at += _DYING
        self._programs.run(run, self._hub)
        outcome = ended[0]
        if outcome.timed_out:
            return self._timed_out(entry, outcome)
        return core_messages.finished(
            job, entry.start, time.time(), outcome.wait_status, outcome.output, outcome.errors
        )

    def _finished(self, entry: _Entry, code: int, output: bytes) -> bytes:
        self.statistics.states[code] += 1
        return core_messages.finished(entry.job, entry.start, time.time(), code << 8, output)

    def _timed_out(self, entry: _Entry, outcome: ProgramEnd | None = None) -> bytes:
        self.statistics.timed_out += 1
        output, errors = (outcome.output, outcome.errors) if outcome else (b"", b"")
        return core_messages.timed_out(entry.job, entry.start, time.time(), output, errors)

    def _advance(self) -> None:
        """Start what can be started now."""
        for needs, queue in list(self._waiting.items()):
            while queue and self.running < self._max_jobs and all(pool.free for pool in needs):
                self._start(queue.popleft(), needs)
            if not queue:
                del self._waiting[needs]

    def _sweep(self) -> None:
        """Answer the jobs whose time is over before their turn came."""
        while True:
            self._hub.pause(time.monotonic() + _SWEEP)
            now = time.monotonic()
            for queue in list(self._waiting.values()):
                late = [entry for entry in queue if entry.kill_at <= now]
                for entry in late:
                    queue.remove(entry)
                    self.statistics.took(now - entry.came)
                    entry.reply(self._timed_out(entry))
            self._advance()


_NOTHING = Preparation(None, None, None)
