"""``--dry-run``: what would be decided and done. Looks, changes nothing, and is not in the history."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery.decision import policy
from recovery.errors import RecoveryError
from recovery.execution import output
from recovery.execution.preview import Preview
from recovery.execution.recovery import Recovery, access_for, asked, failure
from recovery.execution.scrub import OutcomeScrubber
from recovery.execution.turn import turn_of
from recovery.history.recoveries import History, opened
from recovery.machines.interface import Machines
from recovery.model import Verdict
from recovery.requests import RecoveryRequest
from recovery.signals import Signalled, signals


def dry_run(request: RecoveryRequest, machines: Machines, deadline: Deadline) -> int:
    """Print the plan, then one last line; returns the exit code that the action would have where it would end
    before anything was done, else 0; or 2 or 3 where nothing could be looked at."""
    scrubber = OutcomeScrubber()
    try:
        with signals(), opened(request.paths.state) as history:
            access = access_for(request, machines, deadline)
            scrubber = OutcomeScrubber(*access.credentials)
            decision = _decision(request, history, access.target.address)
            if isinstance(decision, policy.Skip):
                return output.end(request, 0, "dry run", f"dry run, would skip: {decision.reason}")
            turn = turn_of(Recovery(request, machines, history, deadline))
            plan, problems = Preview(machines).of(request, access, turn)
    except (RecoveryError, Signalled) as error:
        result = failure(error, scrubber)
        return output.end(request, result.code, result.verdict, result.summary)
    lines = [scrubber.text(line) for line in plan.lines]
    for line in lines:
        output.say(request.output, line)
    for problem in problems:
        output.say(request.output, str(problem))
        for line in problem.remedy.splitlines():
            output.say(request.output, f"    {line}")
    code, would = 0, f"would act: {decision.reason}"
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        # Alone, a plan that nobody can be certain of is a warning.
        code, would = (1 if plan.verdict is Verdict.NOT_PROVEN else 2), f"would fail: {problems[0]}{more}"
    elif plan.verdict is Verdict.SKIPPED:
        would = f"would skip: {scrubber.text(plan.reason)}"
    return output.end(request, code, "dry run", f"dry run, {would}", plan=lines)


def _decision(request: RecoveryRequest, history: History, address: str) -> policy.Decision:
    history.find_interrupted()
    lock = history.lock(address or request.access.machine)
    if lock is not None:
        lock.release()
    facts, now = history.look(asked(request, address), lock is not None)
    output.explain(request.output, policy.explain(request.event, request.rules, facts, now))
    return policy.decide(request.event, request.rules, facts, now)
