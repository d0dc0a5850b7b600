"""What proves that a service runs again: facts of another run, and that it stays that run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from imap4.deadline import Deadline
from recovery.platforms import Platform, ServiceFacts
from recovery.transports.link import Link

POLL_SECONDS = 0.3
_TARGETS = (".target", ".slice")
_DOUBTFUL_SECONDS = 10.0
_LOOP_SECONDS = 60.0
"""What lived longer than this before it died is not waited for."""


class Failed(Exception):
    """A service does not run: the sentence that says so."""


class Unproven(Exception):
    """It may run, but nobody can say so."""


def describe(facts: ServiceFacts) -> str:
    """One service's facts in a line."""
    if not facts.exists:
        return f"{facts.name}: {facts.detail}"
    parts = [f"{facts.state} ({facts.detail})"]
    if facts.pid:
        parts.append(f"PID {facts.pid}")
    if facts.run and "/" not in facts.run:
        parts.append(f"invocation {facts.run[:4]}")
    if facts.restarts:
        parts.append(f"restarted {facts.restarts} times by itself")
    return f"{facts.name}: {', '.join(parts)}"


def find_dependents(
    link: Link, platform: Platform, services: Sequence[ServiceFacts], deadline: Deadline
) -> dict[str, ServiceFacts]:
    """All that stops when one of ``services`` does, directly or through others, with its facts."""
    found: dict[str, ServiceFacts] = {}
    known = {facts.name for facts in services}
    ask = {name for facts in services for name in facts.dependents} - known
    while ask:
        for facts in platform.facts(link, sorted(ask), deadline=deadline):
            if facts.exists and not facts.name.endswith(_TARGETS):
                found[facts.name] = facts
            known.add(facts.name)
        known |= ask
        ask = {name for facts in found.values() for name in facts.dependents} - known
    return found


def change(before: ServiceFacts, after: ServiceFacts) -> str:
    if "/" in (after.run or before.run):
        return f"PID {before.pid or 'none'} -> {after.pid}"
    return f"invocation {before.run[:4] or 'none'} -> {after.run[:4] or 'none'}"


def finished_runs(
    link: Link, platform: Platform, services: Mapping[str, ServiceFacts], deadline: Deadline
) -> dict[str, str]:
    """For the services that do their work and end: which run of them ended well last."""
    return {
        name: platform.finished(link, name, deadline=deadline)
        for name, facts in services.items()
        if facts.ends
    }


def wait_for_new_runs(
    link: Link,
    platform: Platform,
    before: Mapping[str, ServiceFacts],
    deadline: Deadline,
    finished: Mapping[str, str],
) -> list[str]:
    """Until each of the listed services is in a new run, or surely is not; returns those that did their work
    and ended.

    Args:
        finished: what :func:`finished_runs` said before.
    """
    begin_restarts: dict[str, int] = {}
    while True:
        waiting, ended = [], []
        for facts in platform.facts(link, list(before), deadline=deadline):
            new_run = bool(facts.run) and facts.run != before[facts.name].run
            if facts.busy:
                waiting.append(describe(facts))
            elif _has_ended_well(facts):
                # systemd forgets a unit that ended, its run too, unless another one mentions it.
                run = facts.run or platform.finished(link, facts.name, deadline=deadline)
                if not run or run in (before[facts.name].run, finished.get(facts.name)):
                    waiting.append(f"{facts.name} ended, and nothing tells that it ran since")
                ended.append(facts.name)
            elif new_run and facts.running:
                continue
            elif facts.state in {"failed", "inactive"}:
                raise Failed(f"{facts.name} does not run: {facts.state} ({facts.result or facts.detail})")
            elif facts.restarts > begin_restarts.setdefault(facts.name, facts.restarts) + 2:
                raise Unproven(_loops(facts))
            else:
                waiting.append(describe(facts))
        if not waiting:
            return ended
        if deadline.left < 2 * POLL_SECONDS:
            raise Unproven(f"the time was up while {'; '.join(waiting)}")
        time.sleep(POLL_SECONDS)


def _has_ended_well(facts: ServiceFacts) -> bool:
    return facts.ends and facts.state == "inactive" and facts.result == "success"


def settle_time(before: Iterable[ServiceFacts], seconds: float) -> float:
    """How long the services must stay up to be called running: longer than what died before had lived.

    A service that dies after five seconds would look well for three.
    """
    died = [one for one in before if one.restarts or one.state == "failed" or one.detail == "auto-restart"]
    lives = [1.5 * one.lived + one.pause + 1 for one in died if 0 < one.lived <= _LOOP_SECONDS]
    # One that runs at this moment between two deaths has not lived its time yet.
    lives += [one.pause + _DOUBTFUL_SECONDS for one in died if one.running and one.lived <= _LOOP_SECONDS]
    return max([seconds, *lives])


def _loops(facts: ServiceFacts) -> str:
    return (
        f"{facts.name} dies and is restarted over and over "
        f"({facts.restarts} times since; now {facts.state}, {facts.detail})"
    )


def settle(
    link: Link, platform: Platform, names: Sequence[str], seconds: float, deadline: Deadline
) -> list[ServiceFacts]:
    """The facts after all of ``names`` stayed the same run for ``seconds``."""
    first = {facts.name: facts for facts in platform.facts(link, names, deadline=deadline)}
    began = time.monotonic()
    while True:
        now = platform.facts(link, names, deadline=deadline)
        for facts in now:
            old = first[facts.name]
            if facts.restarts > old.restarts or facts.state == "activating" or facts.detail == "auto-restart":
                raise Unproven(_loops(facts))
            if not facts.running:
                age = time.monotonic() - began
                raise Failed(
                    f"{facts.name} started, but died within {age:.1f} s ({facts.result or facts.detail})"
                )
            if facts.run != old.run:
                raise Unproven(f"{facts.name} was restarted again by somebody else")
            if not facts.run:
                raise Unproven(f"{facts.name} says that it runs, but not in which process")
        left = began + seconds - time.monotonic()
        if left <= 0:
            return now
        if deadline.left < 2 * POLL_SECONDS:
            raise Unproven(f"the time was up before {', '.join(names)} had been stable for {seconds:g} s")
        time.sleep(min(POLL_SECONDS, left))
