"""Whether to act: an event, the rules, what the history knows and the time in; Act or Skip out.

Pure: no clock, no database, no network. Every rule is one function that returns the reason to skip or
None, so that ``--explain`` can tell them one by one, and a table of cases can prove them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imap4.causes import RESTART
from imap4.durations import spell
from recovery.decision.causes import CauseSet, cause_of
from recovery.decision.event import Event
from recovery.decision.ranges import Range, Rate

DEFAULT_STATES = frozenset({"CRITICAL", "DOWN"})
DEFAULT_CAUSES = CauseSet.default(RESTART)
# What did not help three times in an hour will not help a fourth time: somebody must look.
DEFAULT_AT_MOST = Rate(3, 3600.0)
DEFAULT_COOLDOWN = 300.0
# Five machines at once are rarely ill; the network of this host, or the check, often is.
DEFAULT_FLEET_AT_MOST = Rate(5, 600.0)


@dataclass(frozen=True)
class Rules:
    """When an event may be acted on. None is "no such rule"."""

    states: frozenset[str] = DEFAULT_STATES
    alerts: Range | None = None
    soft_attempts: Range | None = None
    """Attempts at which a SOFT state is acted on too; by default only HARD states are."""
    causes: CauseSet = DEFAULT_CAUSES
    at_most: Rate | None = DEFAULT_AT_MOST
    """For one machine and one action."""
    cooldown: float | None = DEFAULT_COOLDOWN
    """Seconds since the same action on the same machine ended."""
    fleet_at_most: Rate | None = DEFAULT_FLEET_AT_MOST
    """For all actions on all machines together."""


@dataclass(frozen=True)
class Facts:
    """What the history knows; times are seconds since the epoch, as is ``now`` in :func:`decide`.

    What was skipped or refused is not among it: only what was begun counts.
    """

    running: str = ""
    """What holds the machine's lock, in words; empty where it is free."""
    starts: Sequence[float] = ()
    """When this action was begun on this machine."""
    last_end: float | None = None
    """When this action last ended on this machine."""
    fleet_starts: Sequence[float] = ()
    """When any action was begun on any machine."""
    paused: str = ""
    """Which pause is in force for it, in words; empty where none is."""


@dataclass(frozen=True)
class Act:
    """Do it, and why."""

    reason: str


@dataclass(frozen=True)
class Skip:
    """Leave it, and why."""

    reason: str


@dataclass(frozen=True)
class RuleAnswer:
    """What one rule said: ``reason`` is empty where it does not object."""

    rule: str
    reason: str


Decision = Act | Skip


def decide(event: Event | None, rules: Rules, facts: Facts, now: float) -> Decision:
    """Whether to act. Without an event a person asked: only a busy machine keeps them from it."""
    for answer in explain(event, rules, facts, now):
        if answer.reason:
            return Skip(answer.reason)
    if event is None:
        return Act("asked for by hand")
    parts = [f"{event.state} {event.state_type}".strip()]
    parts += [f"alert {event.alert}"] if event.alert is not None else []
    parts += [f"[{cause_of(event.output)}]"] if event.output else []
    if rules.at_most:
        begun = _within(facts.starts, rules.at_most.seconds, now) + 1
        parts.append(f"{begun} of {rules.at_most.count} in {spell(rules.at_most.seconds)}")
    return Act(", ".join(parts))


def judge_event(event: Event | None, rules: Rules, paused: str = "") -> list[RuleAnswer]:
    """What the rules say that need to know no more than the event, and which pause is in force for it.

    A person who asks by hand is not kept from it by a pause.
    """
    if event is None:
        return []
    answers = [RuleAnswer(name, rule(event, rules)) for name, rule in _EVENT_RULES]
    return [*answers, RuleAnswer("pause", paused)]


def explain(event: Event | None, rules: Rules, facts: Facts, now: float) -> list[RuleAnswer]:
    """What every rule says, in the order in which they are asked."""
    busy = f"the machine is busy: {facts.running}" if facts.running else ""
    answers = [*judge_event(event, rules, facts.paused), RuleAnswer("lock", busy)]
    if event is not None:
        answers += [
            RuleAnswer("cooldown", _cooldown(rules, facts, now)),
            RuleAnswer("at-most", _at_most(rules, facts, now)),
            RuleAnswer("fleet-at-most", _fleet(rules, facts, now)),
        ]
    return answers


def _notification(event: Event, rules: Rules) -> str:
    if event.notification_type in ("", "PROBLEM"):
        return ""
    return f"notification type {event.notification_type} is no problem to repair"


def _state(event: Event, rules: Rules) -> str:
    if event.state in rules.states:
        return ""
    return f"state {event.state} is none of {','.join(sorted(rules.states))}"


def _state_type(event: Event, rules: Rules) -> str:
    # Icinga's and Nagios' notifications are HARD by nature, and may not say so.
    if event.state_type != "SOFT":
        return ""
    if rules.soft_attempts is None:
        return "the state is SOFT: the failure is not confirmed yet"
    if event.attempt is None:
        return f"the state is SOFT and the event has no attempt to compare with {rules.soft_attempts}"
    if event.attempt in rules.soft_attempts:
        return ""
    return f"SOFT attempt {event.attempt} is outside {rules.soft_attempts}"


def _downtime(event: Event, rules: Rules) -> str:
    return "in downtime" if event.downtime else ""


def _acknowledged(event: Event, rules: Rules) -> str:
    return "acknowledged: somebody is at work on it" if event.acknowledged else ""


def _alerts(event: Event, rules: Rules) -> str:
    if rules.alerts is None:
        return ""
    if event.alert is None:
        return f"the event has no alert number to compare with --alerts {rules.alerts}"
    if event.alert in rules.alerts:
        return ""
    return f"alert {event.alert} is outside {rules.alerts}"


def _causes(event: Event, rules: Rules) -> str:
    cause = cause_of(event.output)
    if cause in rules.causes:
        return ""
    if cause.startswith("engine."):
        return f"the engine could not run the check ({cause}), which says nothing about the machine"
    if cause == "none":
        return "the status line names no cause, and --causes does not include 'none', which stands for that"
    return f"cause {cause} is not one that this repair can mend"


# In this order, so that the reason told is the plainest: a recovery is no problem, in whatever state.
_EVENT_RULES: tuple[tuple[str, Callable[[Event, Rules], str]], ...] = (
    ("notification type", _notification),
    ("state", _state),
    ("state type", _state_type),
    ("downtime", _downtime),
    ("acknowledged", _acknowledged),
    ("alerts", _alerts),
    ("causes", _causes),
)


def _within(times: Sequence[float], seconds: float, now: float) -> int:
    """How many of ``times`` are less than ``seconds`` ago. One in the future counts: a clock that was
    set back must not lift a limit."""
    return sum(time > now - seconds for time in times)


def _cooldown(rules: Rules, facts: Facts, now: float) -> str:
    if rules.cooldown is None or facts.last_end is None or now - facts.last_end >= rules.cooldown:
        return ""
    ago = max(0.0, now - facts.last_end)
    return (
        f"cooling down: the last one here ended {spell(ago)} ago, and --cooldown is {spell(rules.cooldown)}"
    )


def _at_most(rules: Rules, facts: Facts, now: float) -> str:
    limit = rules.at_most
    if limit is None:
        return ""
    begun = _within(facts.starts, limit.seconds, now)
    if begun < limit.count:
        return ""
    return f"already done {begun} times on this machine in {spell(limit.seconds)}, and --at-most is {limit}"


def _fleet(rules: Rules, facts: Facts, now: float) -> str:
    limit = rules.fleet_at_most
    if limit is None:
        return ""
    begun = _within(facts.fleet_starts, limit.seconds, now)
    if begun < limit.count:
        return ""
    return (
        f"fleet brake: {begun} recoveries on all machines in {spell(limit.seconds)}, and --fleet-at-most is "
        f"{limit}; is this host's own network in order?"
    )
