"""``--dry-run``: what would be decided and done. Looks, changes nothing, and is not in the history."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery import policy
from recovery.acting import explain, failure, reach
from recovery.endings import Signalled, signals
from recovery.event import Event
from recovery.event_options import rules_of
from recovery.far import FarSide
from recovery.history import opened
from recovery.job import Job
from recovery.model import RecoveryError
from recovery.parsing import places_of
from recovery.scrub import Scrubber


def dry_run(job: Job, event: Event | None, far: FarSide, deadline: Deadline) -> int:
    """Print the plan, then one last line; returns 0, or 2 or 3 where it could not be looked at."""
    options, scrubber = job.options, Scrubber()
    try:
        with signals():
            link = reach(job, far, deadline)
            scrubber = Scrubber(link.credential)
            decision = _decision(job, event, link.target.address)
            if isinstance(decision, policy.Skip):
                return job.end(0, "dry run", f"dry run, would skip: {decision.reason}")
            plan = [scrubber.text(line) for line in far.plan(link, options.request(options, event))]
    except (RecoveryError, Signalled) as error:
        ended = failure(error, scrubber)
        return job.end(ended.code, ended.verdict, ended.summary)
    for line in plan:
        job.say(line)
    return job.end(0, "dry run", f"dry run, would act: {decision.reason}", plan=plan)


def _decision(job: Job, event: Event | None, address: str) -> policy.Decision:
    rules = rules_of(job.options)
    with opened(places_of(job.options).state) as history:
        history.find_interrupted()
        lock = history.lock(address or job.options.machine)
        if lock is not None:
            lock.release()
        facts, now = history.look(job.asked(event, address), lock is not None)
    explain(job, policy.explain(event, rules, facts, now))
    return policy.decide(event, rules, facts, now)
