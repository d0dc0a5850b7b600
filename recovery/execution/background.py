"""The other half of ``--detach``: the process that takes a recovery over. Nobody reads its streams."""

from __future__ import annotations

from dataclasses import replace

from imap4.deadline import Deadline
from recovery.decision.event import Event
from recovery.errors import RecoveryError, UsageError
from recovery.execution.attempt import act
from recovery.execution.recovery import Recovery, failure
from recovery.history.entries import entry
from recovery.history.recoveries import HAND_OVER, opened
from recovery.machines.interface import Machines
from recovery.requests import RecoveryRequest
from recovery.signals import Signalled, signals


def take_over(request: RecoveryRequest, machines: Machines, deadline: Deadline, number: int) -> int:
    """Act on what the process before us decided and wrote down; returns the exit code.

    The event comes from the history: a unit of its own does not have the engine's variables.
    """
    with opened(request.paths.state) as history, signals():
        found = entry(history, number)
        mine = (request.action, request.access.machine)
        if found is None or (found.texts["action"], found.texts["machine"]) != mine:
            raise UsageError(f"--continue {number}: there is no such recovery to take over")
        event = None if found.event is None else Event.from_dict(found.event)
        lock = history.lock(found.texts["address"] or found.texts["machine"], wait=HAND_OVER)
        if lock is None:
            raise RecoveryError(
                f"recovery {number}: the process that began it still holds the machine's lock"
            )
        try:
            if not history.take_over(number):
                raise RecoveryError(
                    f"recovery {number} was marked as interrupted before this process could go on with it"
                )
            recovery = Recovery(replace(request, event=event), machines, history, deadline, number)
            try:
                access = recovery.access(found.texts["address"])
            except (RecoveryError, Signalled) as error:
                history.fail(number, str(error))
                return recovery.tell(failure(error))
            return act(recovery, access)
        finally:
            lock.release()
