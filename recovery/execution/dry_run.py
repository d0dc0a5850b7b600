"""``--dry-run``: what would be decided and done. Looks, changes nothing, and is not in the history."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery.commands.event_options import rules_of
from recovery.commands.parsing import paths_of
from recovery.decision import policy
from recovery.decision.event import Event
from recovery.errors import RecoveryError
from recovery.execution.attempt import explain, failure, reach
from recovery.execution.job import Job
from recovery.history.recoveries import opened
from recovery.machines.interface import Machines
from recovery.scrub import Scrubber
from recovery.signals import Signalled, signals


def dry_run(job: Job, event: Event | None, machines: Machines, deadline: Deadline) -> int:
    """Print the plan, then one last line; returns 0, or 2 or 3 where it could not be looked at."""
    options, scrubber = job.options, Scrubber()
    try:
        with signals():
            access = reach(job, machines, deadline)
            scrubber = Scrubber(access.credential)
            decision = _decision(job, event, access.target.address)
            if isinstance(decision, policy.Skip):
                return job.end(0, "dry run", f"dry run, would skip: {decision.reason}")
            plan = [scrubber.text(line) for line in machines.plan(access, options.request(options, event))]
    except (RecoveryError, Signalled) as error:
        ended = failure(error, scrubber)
        return job.end(ended.code, ended.verdict, ended.summary)
    for line in plan:
        job.say(line)
    return job.end(0, "dry run", f"dry run, would act: {decision.reason}", plan=plan)


def _decision(job: Job, event: Event | None, address: str) -> policy.Decision:
    rules = rules_of(job.options)
    with opened(paths_of(job.options).state) as history:
        history.find_interrupted()
        lock = history.lock(address or job.options.machine)
        if lock is not None:
            lock.release()
        facts, now = history.look(job.asked(event, address), lock is not None)
    explain(job, policy.explain(event, rules, facts, now))
    return policy.decide(event, rules, facts, now)
