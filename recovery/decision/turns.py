"""Whose turn it is to repair a machine: what the machine itself has written down of all who repair it.

Several monitoring hosts may repair the same machine. Each takes a turn there before it does anything, and
says when it has ended; the list of these turns is on the machine. Pure: its text in, reasons to skip out.

The list is read and written by :mod:`recovery.platforms.turns`. A turn ends with the run of the machine that
it was taken in, or after its own time, counted by the machine's own uptime: no clock moves it. What is over
counts for cooldown and limits, by how long ago it was: no two hosts' clocks are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from imap4.durations import spell
from recovery.decision import policy
from recovery.decision.event import Event

_LONGEST = 120
"""Characters of a text in the list: a machine's disk is not ours to fill."""
_ID, _WORD, _NUMBER = r"[0-9a-f]{32}", r"[!-~]{1,400}", r"[0-9]{1,12}"
_CLOCK = re.compile(rf"clock=({_WORD}) ({_NUMBER}) ({_NUMBER}) ({_NUMBER})")
_BEGIN = re.compile(
    rf"begin ({_ID}) ({_WORD}) ({_NUMBER}) ({_NUMBER}) ({_NUMBER}) ({_ID}) " + " ".join([f"({_WORD})"] * 5)
)
_END = re.compile(rf"end ({_ID}) ({_WORD}) ({_NUMBER}) ({_NUMBER}) ([a-z-]{{1,20}})")
NOTHING = "nothing"
"""How a turn ended in which the machine was only looked at."""


@dataclass(frozen=True)
class Deed:
    """One turn that somebody took on the machine. Times are seconds before now, as the machine counts."""

    key: str
    owner: str
    """Which monitoring host: 32 hexadecimal digits, made of what is its own."""
    host: str
    """What that host is called."""
    action: str
    subject: str
    number: str
    """The repair's number in that host's own history."""
    by: str
    """For which monitor, or by whom."""
    began: float
    ended: float | None
    """None where nobody said that it ended."""
    verdict: str
    span: float
    """How long it was to last at most, from its begin."""
    left: float
    """For how many seconds it still keeps the others away; 0 where it does not."""

    def __str__(self) -> str:
        what = f"{self.action} {self.subject}".strip()
        return f"monitoring host {self.host} ({what}, its recovery {self.number}, {self.by})"


@dataclass(frozen=True)
class Turn:
    """A turn that is to be taken: for whom, and who decides whether it may be."""

    key: str
    """Its own name in the list: 32 hexadecimal digits that nobody can guess."""
    owner: str
    host: str
    action: str
    subject: str
    number: int
    by: str
    alive: tuple[str, ...] = ()
    """The numbers of this host's other repairs under way, which may be here by another name or address."""
    judge: Callable[[Sequence[Deed]], str] = lambda _: ""
    """Gets what others did there, and says why it is not to be done now; "" where it may."""

    @property
    def words(self) -> str:
        """What the list says of it, each text a word."""
        texts = (self.host, self.action, str(self.number), self.by, self.subject)
        return " ".join(quote(text[:_LONGEST], safe=",:@()") or "-" for text in texts)

    def refusal(self, deeds: Sequence[Deed]) -> str:
        """Why it is not to be taken now; "" where it may."""
        others = [deed for deed in deeds if deed.owner != self.owner]
        ours = [deed for deed in deeds if deed.owner == self.owner and deed.number in self.alive]
        if busy := [deed for deed in (*ours, *others) if deed.left > 0 and deed.key != self.key]:
            deed = busy[-1]
            since, most = spell(deed.began), spell(deed.left)
            return f"the machine is busy: {deed} began {since} ago, and has it for {most} more at most"
        return self.judge([deed for deed in others if deed.verdict != NOTHING])


def parse(text: str) -> list[Deed]:
    """The turns in what the machine said, the oldest first.

    What cannot be read is left out: a list that was cut by a full disk must not end a repair.
    """
    found = _CLOCK.search(text)
    if found is None:
        return []
    boot, up, since, now = found[1], *(int(found[place]) for place in (2, 3, 4))

    def ago(run: str, uptime: str, clock: str) -> float:
        if run == boot and int(uptime) <= up:
            return up - int(uptime)
        # In another run of the machine: before this one began, whatever a clock says that is set since.
        return max(since, now - int(clock))

    ends = {match[1]: match for match in map(_END.fullmatch, text.splitlines()) if match}
    deeds = []
    for match in filter(None, map(_BEGIN.fullmatch, text.splitlines())):
        key, run, uptime, clock, span, owner, *texts = match.groups()
        began, end = ago(run, uptime, clock), ends.get(key)
        ended = min(began, ago(*end.group(2, 3, 4))) if end else None
        left = int(span) - began if end is None and run == boot else 0
        host, action, number, by, subject = ("" if one == "-" else unquote(one) for one in texts)
        verdict = end[5] if end else ""
        when = (began, ended, verdict, float(span), max(0.0, left))
        deeds.append(Deed(key, owner, host, action, subject, number, by, *when))
    return deeds


def judge(
    event: Event | None,
    rules: policy.Rules,
    facts: policy.Facts,
    deeds: Sequence[Deed],
    action: str,
    now: float,
) -> str:
    """What the rules say to an action of ours where others did the same; "" for no objection.

    Args:
        facts: what this host's own history knows, without the action itself.
        deeds: what the others did on the machine.
    """
    same = [deed for deed in deeds if deed.action == action]
    if event is None or not same:
        return ""
    # Who never said that it ended may have been at it until its time was up, or until now.
    ends = [now - (max(0.0, deed.began - deed.span) if deed.ended is None else deed.ended) for deed in same]
    merged = replace(
        facts,
        starts=[*facts.starts, *(now - deed.began for deed in same)],
        last_end=max([*ends, *([] if facts.last_end is None else [facts.last_end])]),
    )
    last = same[ends.index(max(ends))]
    for answer in policy.explain(event, rules, merged, now):
        if answer.rule in ("cooldown", "at-most") and answer.reason:
            how = f"; the last was {last}, {last.verdict or 'whose end is not known'}"
            return answer.reason + how
    return ""
