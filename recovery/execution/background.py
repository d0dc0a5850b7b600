"""The other half of ``--detach``: the process that takes a recovery over. Nobody reads its streams."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery.commands.parsing import paths_of
from recovery.decision.event import Event
from recovery.errors import RecoveryError, UsageError
from recovery.execution.attempt import act, failure, reach, tell
from recovery.execution.job import Job
from recovery.history.entries import entry
from recovery.history.recoveries import HAND_OVER, opened
from recovery.machines.interface import Machines
from recovery.signals import Signalled, signals


def take_over(job: Job, machines: Machines, deadline: Deadline) -> int:
    """Act on what the process before us decided and wrote down; returns the exit code.

    The event comes from the history: a unit of its own does not have the engine's variables.
    """
    options = job.options
    number: int = options.taken_over
    with opened(paths_of(options).state) as history, signals():
        found = entry(history, number)
        if found is None or (found.texts["action"], found.texts["machine"]) != (job.action, options.machine):
            raise UsageError(f"--continue {number}: there is no such recovery to take over")
        event = None if found.event is None else Event.from_dict(found.event)
        lock = history.lock(found.texts["address"] or found.texts["machine"], wait=HAND_OVER)
        if lock is None:
            raise RecoveryError(f"recovery {number}: its machine's lock was not given up")
        try:
            if not history.take_over(number):
                raise RecoveryError(f"recovery {number} was given up before it was taken over")
            try:
                access = reach(job, machines, deadline, found.texts["address"])
            except (RecoveryError, Signalled) as error:
                history.fail(number, str(error))
                return tell(job, event, history, number, failure(error), deadline.elapsed)
            return act(job, event, machines, history, access, number)
        finally:
            lock.release()
