"""Restart services with what depends on them, and prove that all of it runs again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from imap4.deadline import Deadline
from recovery.actions.service_proof import (
    POLL_SECONDS,
    Failed,
    Unproven,
    change,
    describe,
    find_dependents,
    finished_runs,
    settle,
    settle_time,
    wait_for_new_runs,
)
from recovery.actions.steps import Story, in_time, silent
from recovery.actions.turns import TurnTaken, turn_refused
from recovery.actions.verify import conclude, parse
from recovery.decision.turns import Turn
from recovery.errors import PrivilegeMissing, RecoveryError, UsageError
from recovery.model import CommandResult, Ended, Outcome, Plan, StepListener, Verdict
from recovery.platforms import Platform, RepairUnderWay, ServiceFacts
from recovery.platforms.detect import detect
from recovery.requests import RestartRequest
from recovery.transports.link import Connect, Link, refuse_without_privilege
from recovery.transports.sudoers import lines_for, missing_privilege


@dataclass(frozen=True)
class _Before:
    """What was found, in canonical names."""

    services: dict[str, ServiceFacts]
    dependents: dict[str, ServiceFacts]

    @property
    def running_dependents(self) -> list[str]:
        return [name for name, facts in self.dependents.items() if facts.running or facts.busy]


def run(
    connect: Connect,
    request: RestartRequest,
    *,
    become: bool = False,
    deadline: Deadline,
    progress: StepListener = silent,
    verify: str | None = None,
    turn: Turn | None = None,
) -> Outcome:
    """Restart ``request.services`` on the machine that ``connect`` leads to.

    Args:
        turn: what is to be taken on the machine first; None takes none.

    Raises:
        RecoveryError: before anything was done: no way to the machine, no privilege, a wrong name.
    """
    if verify is not None:
        parse(verify)
    story = Story(progress)
    with Link(connect, become=become) as link, TurnTaken(link, turn, deadline, story) as mine:
        if mine.refusal:
            return story.end(Verdict.SKIPPED, mine.refusal)
        return _repair(link, mine.platform(), request, deadline, story, verify)


def _repair(
    link: Link,
    platform: Platform,
    request: RestartRequest,
    deadline: Deadline,
    story: Story,
    verify: str | None,
) -> Outcome:
    before = _look(link, platform, request, deadline)
    story.before = _history(before)
    for facts in (*before.services.values(), *before.dependents.values()):
        story.tell("facts before", describe(facts))
    if reason := _cannot(link, platform, before, request, deadline):
        return story.end(Verdict.FAILED, reason)
    if reason := _starting(before):
        return story.end(Verdict.SKIPPED, reason)
    for name in before.services:
        if lines := _last_words(link, platform, name, deadline):
            story.tell("evidence", f"{name} logged last: {' / '.join(lines)}")
    finished = finished_runs(link, platform, before.services, deadline)
    story.acted = True
    try:
        result = _restart(link, platform, before, request, deadline, story)
    except RepairUnderWay as under_way:
        story.acted = False
        return story.end(Verdict.SKIPPED, f"not restarted: {under_way}")
    # What the machine's own script said, which knows best why a service does not run.
    said = "; ".join(filter(None, (result.stderr.decode("utf-8", "replace").strip(), *result.notes)))
    told = f" ({said})" if link.language(deadline) == "powershell" and said else ""
    if refusal := platform.refused(result):
        return story.end(Verdict.FAILED, f"the machine refused it: {refusal}")
    try:
        summary, doubt = _prove(link, platform, before, request, deadline, story, finished)
    except (Failed, PrivilegeMissing) as failure:
        sentence = _with_last_words(link, platform, str(failure), before, deadline)
        return story.end(Verdict.FAILED, sentence + told)
    except (Unproven, RecoveryError) as error:
        return story.end(Verdict.NOT_PROVEN, f"restart asked for, but not proven: {error}{told}")
    if doubt and verify is None:
        return story.end(Verdict.NOT_PROVEN, f"{summary}{told}, but {doubt}")
    return conclude(story, f"{summary}{told}, {doubt}" if doubt else summary + told, verify, deadline)


def plan(
    connect: Connect,
    request: RestartRequest,
    *,
    become: bool = False,
    deadline: Deadline,
    turn: Turn | None = None,
) -> Plan:
    """What ``run`` would do; looks at the machine and changes nothing."""
    with Link(connect, become=become) as link:
        if reason := turn_refused(link, turn, deadline):
            return Plan((f"would skip: {reason}",), Verdict.SKIPPED, reason)
        platform = detect(link, deadline=deadline)
        before = _look(link, platform, request, deadline)
        verdict, reason = Verdict.FAILED, _cannot(link, platform, before, request, deadline)
        if not reason and (reason := _starting(before)):
            verdict = Verdict.SKIPPED
        if not reason:
            commands = platform.commands(list(before.services), alone=not request.dependents)
            verdict, reason = missing_privilege(
                link, [one for one in commands if "restart" in one], deadline, readable=commands
            )
    lines = [f"the machine runs {platform.name}"]
    lines += [describe(facts) for facts in before.services.values()]
    if reason:
        word = "skip" if verdict is Verdict.SKIPPED else "fail"
        return Plan((*lines, f"would {word}: {reason}"), verdict, reason)
    lines.append(f"would restart {', '.join(before.services)}" + (" through sudo" if become else ""))
    running = before.running_dependents
    if running:
        lines.append(f"would restart what depends on it and runs: {', '.join(running)}")
    if idle := [name for name in before.dependents if name not in running]:
        lines.append(f"would leave alone what depends on it and does not run: {', '.join(idle)}")
    return Plan((*lines, f"would wait until all have been running for {request.settle:g} s"))


def _look(link: Link, platform: Platform, request: RestartRequest, deadline: Deadline) -> _Before:
    if not request.services:
        raise UsageError("restart-service needs at least one service")
    if request.kill and link.language(deadline) != "powershell":
        raise UsageError("--kill is for Windows; systemd ends what does not stop by itself (TimeoutStopSec=)")
    names = list(dict.fromkeys(platform.canonical(name) for name in request.services))
    facts = platform.facts(link, names, deadline=deadline)
    # An alias and its unit are one service.
    services = {one.name: one for one in facts}
    dependents = find_dependents(link, platform, facts, deadline) if request.dependents else {}
    return _Before(services, dependents)


def _history(before: _Before) -> dict[str, object]:
    every = {**before.services, **before.dependents}
    return {name: facts.as_dict() for name, facts in every.items()}


def _cannot(
    link: Link, platform: Platform, before: _Before, request: RestartRequest, deadline: Deadline
) -> str:
    """Why it cannot or must not be done; "" where it may."""
    running = [before.dependents[name] for name in before.running_dependents]
    for facts in (*before.services.values(), *running):
        if reason := platform.cannot(facts):
            return f"{reason}; nothing was done"
        if not facts.exists:
            return f"{facts.name} does not exist on the machine ({facts.detail}); nothing was done"
    for facts in before.services.values():
        if facts.refuses:
            setting = f"RefuseManual{facts.refuses.capitalize()}=yes"
            return f"systemd lets nobody {facts.refuses} {facts.name} by hand ({setting}); nothing was done"
    danger = platform.danger(link, list(before.services), alone=not request.dependents, deadline=deadline)
    return f"{danger}; nothing was done" if danger else ""


def _starting(before: _Before) -> str:
    """What is starting at this moment, and would be thrown back; "" where nothing is."""
    for facts in before.services.values():
        if facts.state == "activating" and facts.detail != "auto-restart":
            since = f" for {in_time(facts.lived)}" if facts.lived and facts.pid else ""
            return (
                f"not restarted: {facts.name} is starting ({facts.detail}{since}), and a restart would throw "
                "it back to the beginning"
            )
    return ""


def _restart(
    link: Link, platform: Platform, before: _Before, request: RestartRequest, deadline: Deadline, story: Story
) -> CommandResult:
    names, running = list(before.services), before.running_dependents
    story.tell("restart", " ".join([*names, *(["with", *running] if running else [])]))
    result = platform.restart(
        link, names, running, alone=not request.dependents, kill=request.kill, deadline=deadline
    )
    commands = platform.commands(names, running, alone=not request.dependents)
    refuse_without_privilege(
        result, link, lambda account: lines_for(account, commands), deadline, commands=commands
    )
    if result.ended is Ended.LINK_LOST:
        # It may have been done or not; the facts will tell.
        story.tell("restart", "the link was lost; looking again")
    elif not result.ok:
        said = result.stderr.decode("utf-8", "replace").strip().splitlines()
        story.tell("restart", f"{result.ended.value} {result.exit_status}: {' '.join(said[-2:])}")
    for note in result.notes:
        story.tell("restart", note)
    return result


def _prove(
    link: Link,
    platform: Platform,
    before: _Before,
    request: RestartRequest,
    deadline: Deadline,
    story: Story,
    finished: Mapping[str, str],
) -> tuple[str, str]:
    """Wait for the proof; returns the summary and what is doubtful of it, or raises."""
    ended = wait_for_new_runs(link, platform, before.services, deadline, finished)
    brought_back = _bring_back(link, platform, before, deadline, story)
    watched = [name for name in (*before.services, *before.running_dependents) if name not in ended]
    seconds = settle_time(before.services.values(), request.settle)
    after = settle(link, platform, watched, seconds, deadline) if watched else []
    story.after = {facts.name: facts.as_dict() for facts in after}
    for facts in after:
        story.tell("facts after", describe(facts))
    runs = [change(before.services[f.name], f) for f in after if f.name in before.services]
    runs += [f"{name} did its work and ended" for name in ended]
    story.proof = f"{'; '.join(runs)}; stable for {seconds:g} s"
    story.tell("proof", story.proof)
    subject = "" if len(before.services) == 1 else f"{', '.join(before.services)} "
    empty = _without_process(before, after)
    how = "ended well" if len(ended) == len(before.services) else "restarted" if empty else "running again"
    summary = f"{subject}{how} after {in_time(story.seconds)} ({'; '.join(runs)})"
    if brought_back:
        summary += f", {', '.join(brought_back)} had to be started"
    if idle := [n for n in before.dependents if n not in before.running_dependents]:
        story.tell("dependents", f"not running before, so left alone: {', '.join(idle)}")
    if empty:
        return summary, f"no process of {', '.join(empty)} is left there: active (exited)"
    return summary, ""


def _without_process(before: _Before, after: Sequence[ServiceFacts]) -> list[str]:
    """The services that count as running though neither they nor what belongs to them has a process."""
    alive = {one.name for one in after if one.pid}
    return [
        one.name
        for one in after
        if one.name in before.services and one.empty and not alive & {*one.dependents}
    ]


def _bring_back(
    link: Link, platform: Platform, before: _Before, deadline: Deadline, story: Story
) -> list[str]:
    """Start the dependents that ran before and did not come back by themselves; returns them."""
    asked: list[str] = []
    names = before.running_dependents
    while names:
        facts = platform.facts(link, names, deadline=deadline)
        down = [f for f in facts if not f.busy and not f.running and f.state != "activating"]
        if again := [f for f in down if f.name in asked]:
            raise Failed(
                f"{again[0].name}, which ran before, does not run: {again[0].state} ({again[0].result})"
            )
        if down:
            missing = [f.name for f in down]
            story.tell("dependents", f"did not come back, starting: {', '.join(missing)}")
            result = platform.start(link, missing, deadline=deadline)
            commands = platform.commands((), missing)
            lines = partial(lines_for, commands=commands)
            refuse_without_privilege(result, link, lines, deadline)
            asked += missing
        elif all(f.running and not f.busy for f in facts):
            break
        if deadline.left < 2 * POLL_SECONDS:
            raise Unproven(f"the time was up while waiting for {', '.join(names)}")
        time.sleep(POLL_SECONDS)
    return asked


def _with_last_words(
    link: Link, platform: Platform, failure: str, before: _Before, deadline: Deadline
) -> str:
    name = failure.split(" ", 1)[0].rstrip(",")
    if name not in {*before.services, *before.dependents}:
        return failure
    # The log takes a moment to have a dying service's last line.
    time.sleep(min(POLL_SECONDS, deadline.left))
    lines = _last_words(link, platform, name, deadline)
    return f"{failure}; its log ends: {' / '.join(lines[-4:])}" if lines else failure


def _last_words(link: Link, platform: Platform, name: str, deadline: Deadline) -> list[str]:
    """What the service logged last; none where that cannot be read: it is no reason to stop."""
    try:
        return platform.last_words(link, name, deadline=deadline.share(5))
    except RecoveryError:
        return []
