"""Reboot a machine cleanly, and prove that it is another run of it that answers."""

from __future__ import annotations

import random
import time

from imap4.deadline import Deadline
from recovery.actions.steps import Story, in_time, silent
from recovery.actions.turns import TurnTaken, turn_refused
from recovery.actions.verify import conclude, parse
from recovery.decision.turns import Turn
from recovery.errors import DeadlineExceeded, HostKeyRejected, LoginFailed, RecoveryError
from recovery.model import Ended, Outcome, Plan, StepListener, Verdict
from recovery.platforms import MachineFacts, Platform, RebootUnderWay, RepairUnderWay
from recovery.platforms.detect import detect
from recovery.requests import RebootRequest
from recovery.transports.link import Connect, Link, refuse_without_privilege
from recovery.transports.sudoers import lines_for, missing_privilege

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 15.0
_INHIBITOR_PAUSE = 1.0
_TRY_SECONDS = 20.0
"""A machine that is going down may take a connection and then say nothing."""


def run(
    connect: Connect,
    request: RebootRequest,
    *,
    become: bool = False,
    deadline: Deadline,
    progress: StepListener = silent,
    verify: str | None = None,
    turn: Turn | None = None,
) -> Outcome:
    """Reboot the machine that ``connect`` leads to, and wait for it until ``deadline``.

    Args:
        turn: what is to be taken on the machine first; None takes none.

    Raises:
        RecoveryError: before anything was done: no way to the machine, no privilege.
    """
    if verify is not None:
        parse(verify)
    story = Story(progress)
    with Link(connect, become=become) as link, TurnTaken(link, turn, deadline, story) as mine:
        if mine.refusal:
            return story.end(Verdict.SKIPPED, mine.refusal)
        return _reboot(link, mine.platform(), request, deadline, story, verify)


def _reboot(
    link: Link,
    platform: Platform,
    request: RebootRequest,
    deadline: Deadline,
    story: Story,
    verify: str | None,
) -> Outcome:
    before = platform.machine(link, deadline=deadline)
    story.before = before.as_dict()
    story.tell("facts before", describe(before))
    if reason := refuse(before, request, deadline.left):
        return story.end(Verdict.SKIPPED, f"not rebooted: {reason}")
    if before.scheduled:
        when = in_time(before.scheduled_in)
        story.tell("reboot", f"a {before.scheduled} was scheduled in {when}, which a reboot forgets")
    if holder := _wait_for_inhibitors(link, platform, deadline, story):
        return story.end(Verdict.FAILED, f"not rebooted: {_inhibited(holder)}")
    try:
        _ask(link, platform, deadline, story)
    except RebootUnderWay as reason:
        story.acted = False
        return story.end(Verdict.SKIPPED, f"not rebooted: a reboot is already under way: {reason}")
    except RepairUnderWay as reason:
        story.acted = False
        return story.end(Verdict.SKIPPED, f"not rebooted: {reason}")
    # The old connection dies with the machine; do not wait for its last words.
    key = link.host_key
    link.drop()
    try:
        after = _wait(link, platform, before, key, deadline, story)
    except _Gone as gone:
        return story.end(Verdict.FAILED, str(gone))
    story.after = after.as_dict()
    story.proof = new_run(before, after)
    summary = f"up again after {in_time(story.seconds)} ({story.proof})"
    if after.marker:
        return story.end(
            Verdict.NOT_PROVEN,
            f"{summary}, but the marker in {platform.memory} is still there after the reboot",
        )
    story.tell("proof", f"{story.proof}, marker gone")
    try:
        condition = _wait_until_running(link, platform, deadline, story)
        if platform.reboot_settle and not _has_settled(link, platform, after, deadline, story):
            return story.end(Verdict.NOT_PROVEN, f"{summary}, but it is being rebooted once more")
    except RecoveryError as error:
        return story.end(Verdict.NOT_PROVEN, f"{summary}, but lost again: {error}")
    if condition.startswith("degraded"):
        summary += f", system {condition}"
    elif condition != "running":
        return story.end(Verdict.NOT_PROVEN, f"{summary}, but the system is still {condition or 'silent'}")
    return conclude(story, summary, verify, deadline)


def plan(
    connect: Connect,
    request: RebootRequest,
    *,
    become: bool = False,
    deadline: Deadline,
    turn: Turn | None = None,
) -> Plan:
    """What ``run`` would do; looks at the machine and changes nothing."""
    with Link(connect, become=become) as link:
        if reason := turn_refused(link, turn, deadline):
            return Plan((f"would not reboot: {reason}",), Verdict.SKIPPED, reason)
        platform = detect(link, deadline=deadline)
        facts = platform.machine(link, deadline=deadline)
        holder = platform.blocked(link, deadline=deadline)
        verdict, missing = missing_privilege(link, platform.commands((), reboot=True), deadline)
    lines = (f"the machine runs {platform.name}", describe(facts))
    if reason := refuse(facts, request, deadline.left):
        return Plan((*lines, f"would not reboot: {reason}"), Verdict.SKIPPED, f"not rebooted: {reason}")
    if holder and not missing:
        verdict, missing = Verdict.NOT_PROVEN, f"{_inhibited(holder)}; it would be waited for, and may last"
    if missing:
        return Plan((*lines, f"would fail: {missing}"), verdict, missing)
    return Plan(
        (
            *lines,
            "would reboot cleanly" + (" through sudo" if become else ""),
            f"would wait for another boot id, for the marker in {platform.memory} to be gone and for the "
            "system to run",
        )
    )


def describe(facts: MachineFacts) -> str:
    """The machine's facts in a line."""
    parts = [f"up for {in_time(facts.uptime)}", f"boot id {facts.boot_id[:4]}"]
    if facts.users:
        parts.append(f"logged on: {', '.join(facts.users)}")
    if facts.servicing:
        parts.append(facts.servicing)
    return ", ".join(parts)


def refuse(facts: MachineFacts, request: RebootRequest, seconds: float = 600.0) -> str:
    """Why the machine is not to be rebooted now; "" if it may.

    Args:
        seconds: what is scheduled to be within this time is under way already.
    """
    if facts.reboot:
        return f"a reboot is already under way: {facts.reboot}"
    if facts.scheduled and facts.scheduled_in < seconds:
        when = in_time(max(0.0, facts.scheduled_in))
        return f"a {facts.scheduled} is scheduled in {when} (shutdown -c ends that)"
    if not facts.boot_id:
        return "the machine does not tell its boot id, so no reboot could be proven"
    if facts.uptime < request.min_uptime:
        least = in_time(request.min_uptime)
        return f"the machine came up only {in_time(facts.uptime)} ago (--min-uptime {least})"
    if facts.servicing and not request.during_updates:
        return f"{facts.servicing}, and a reboot would cut that short (--during-updates does it all the same)"
    return ""


def _inhibited(holder: str) -> str:
    return f"{holder} holds an inhibitor against shutdown (systemd-inhibit --list shows it)"


def _wait_for_inhibitors(link: Link, platform: Platform, deadline: Deadline, story: Story) -> str:
    """Wait while somebody blocks a shutdown, such as an upgrade of packages; returns who still does so when
    half of the time is gone: the rest is for the reboot."""
    last, until = "", deadline.left / 2
    while holder := platform.blocked(link, deadline=deadline):
        if holder != last:
            story.tell("wait", _inhibited(holder))
            last = holder
        if deadline.left < until:
            return holder
        time.sleep(_INHIBITOR_PAUSE)
    return ""


def new_run(before: MachineFacts, after: MachineFacts) -> str:
    """What shows that the machine runs anew; "" where it is the old run.

    A container may show its host's boot id, which no reboot of the container changes. Its first process began
    anew then, and the marker went with its memory.
    """
    if after.boot_id != before.boot_id and after.boot_id:
        return f"boot id {before.boot_id[:4]} -> {after.boot_id[:4]}"
    if after.first_process != before.first_process and after.first_process and not after.marker:
        return f"a new first process, boot id {after.boot_id[:4]} as before"
    return ""


def _another_machine(before: MachineFacts, after: MachineFacts, key_before: str, key_after: str) -> str:
    """What shows that it is another machine than before; "" where nothing does."""
    if before.machine_id and after.machine_id and before.machine_id != after.machine_id:
        return f"machine id {before.machine_id[:4]} -> {after.machine_id[:4]}"
    if key_before and key_after and key_before != key_after:
        return f"host key {key_before} -> {key_after}"
    return ""


class _Gone(Exception):
    """The machine did not come back as another run: the sentence that says so."""


def _ask(link: Link, platform: Platform, deadline: Deadline, story: Story) -> None:
    story.acted = True
    story.tell("reboot", "asked for a clean reboot")
    try:
        result = platform.reboot(link, deadline=deadline.share(30))
    except RecoveryError as error:
        # Its kinds say that nothing was begun. Without one, the script ended and said nothing: that may be
        # the reboot.
        if type(error) is not RecoveryError:
            raise
        story.tell("reboot", f"not known yet whether it was begun: {error}")
        return
    commands = platform.commands((), reboot=True)
    refuse_without_privilege(result, link, lambda account: lines_for(account, commands), deadline)
    if result.ended is not Ended.EXITED:
        # That may be the reboot itself, or not: only the facts afterwards count.
        story.tell("reboot", f"{result.ended.value}: not known yet whether it was begun")
    elif not result.ok:
        said = result.stderr.decode("utf-8", "replace").strip()
        raise RecoveryError(f"the machine refused to reboot (exit status {result.exit_status}): {said}")


def _wait(
    link: Link, platform: Platform, before: MachineFacts, key: str, deadline: Deadline, story: Story
) -> MachineFacts:
    """The facts of the next run of the machine."""
    pause, last, refused = _FIRST_PAUSE, "", 0
    odd: MachineFacts | None = None
    while True:
        what = "did not come back"
        try:
            facts = platform.machine(link, deadline=deadline.share(_TRY_SECONDS))
            if other := _another_machine(before, facts, key, link.host_key):
                # An address that several machines share moves to the next one while ours is down.
                now = f"another machine answers at its address ({other})"
            elif new_run(before, facts) and not facts.marker:
                return facts
            else:
                what, now = "did not reboot", f"it still is the old run (boot id {before.boot_id[:4]})"
                if new_run(before, facts):
                    # No reboot leaves the marker, whatever the boot id says.
                    now = f"the marker in {platform.memory} is still there"
                    odd = facts
            link.drop()
        except HostKeyRejected as error:
            now = f"what answers at its address cannot be trusted: {error}"
            link.drop()
        except DeadlineExceeded as error:
            # Our own time that ran out says nothing of the machine: what was last seen of it stays.
            now = last or str(error)
            link.drop()
        except RecoveryError as error:
            # A machine that goes down or comes up refuses logins for a while (pam_nologin), and whatever else
            # it says, such as that a service of its own is missing, holds for that moment.
            now = str(error)
            link.drop()
            refused = refused + 1 if isinstance(error, LoginFailed) else 0
            if refused == platform.refused_logins:
                raise _Gone(f"{what} as far as is known; not tried again: {now}") from None
        if now != last:
            story.tell("wait", now)
            last = now
        # Jitter: many machines behind one switch must not be asked in step.
        wait = pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret hangs on it
        if deadline.left < wait and odd is not None:
            return odd
        if deadline.left < wait:
            raise _Gone(f"{what} within {in_time(deadline.seconds)}: {last}")
        time.sleep(wait)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _has_settled(
    link: Link, platform: Platform, after: MachineFacts, deadline: Deadline, story: Story
) -> bool:
    """Whether it still is the same run of the machine after the platform's settle time."""
    time.sleep(max(0.0, min(platform.reboot_settle, deadline.left - 1)))
    now = platform.machine(link, deadline=deadline)
    story.tell("system", f"after {platform.reboot_settle:g} s: {describe(now)}")
    return now.boot_id == after.boot_id


def _wait_until_running(link: Link, platform: Platform, deadline: Deadline, story: Story) -> str:
    """The system's condition when it has started, or the last one before the time was up."""
    last = ""
    while True:
        try:
            condition = platform.condition(link, deadline=deadline)
        except RecoveryError as error:
            # What it cannot tell yet, it may tell in a moment.
            if deadline.left < 2 * _FIRST_PAUSE:
                raise
            story.tell("system", str(error))
            condition = ""
        if condition != last:
            story.tell("system", condition)
            last = condition
        if condition not in {"initializing", "starting", ""} or deadline.left < 2 * _FIRST_PAUSE:
            return condition
        time.sleep(_FIRST_PAUSE)
