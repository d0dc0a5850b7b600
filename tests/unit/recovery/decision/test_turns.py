"""Whose turn it is, by what the machine has written down; times are as the machine counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from recovery.decision.event import Event
from recovery.decision.policy import Facts, Rules
from recovery.decision.ranges import Rate
from recovery.decision.turns import Deed, Turn, judge, parse

OURS, THEIRS = "1" * 32, "2" * 32
KEY, OTHER = "a" * 32, "b" * 32
NOW = 1_000_000.0
EVENT = Event(state="CRITICAL", state_type="HARD", output="CRITICAL - [connect.refused]")
WORDS = "mon2 restart-service 7 for%20mail%20IMAP4 dovecot"
# The run of the machine, its uptime, how long that is at least, and its clock.
CLOCK = "clock=run2 900 900 5000"


def turn() -> Turn:
    return Turn(KEY, OURS, "mon1", "restart-service", "dovecot", 3, "for mail IMAP4")


def begin(run: str = "run2", up: int = 840, clock: int = 4940, span: int = 120, owner: str = THEIRS) -> str:
    return f"begin {OTHER} {run} {up} {clock} {span} {owner} {WORDS}"


def end(run: str = "run2", up: int = 850, clock: int = 4950, verdict: str = "proven") -> str:
    return f"end {OTHER} {run} {up} {clock} {verdict}"


def only(*lines: str, clock: str = CLOCK) -> Deed:
    [deed] = parse("\n".join(["platform=systemd", clock, *lines]))
    return deed


def test_who_is_at_work_is_named_and_for_how_long() -> None:
    deed = only(begin())
    assert (deed.began, deed.ended, deed.left) == (60, None, 60)
    assert turn().refusal([deed]) == (
        "the machine is busy: monitoring host mon2 (restart-service dovecot, its recovery 7, for mail IMAP4) "
        "began 1m ago, and has it for 1m more at most"
    )


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([begin(), end()], "it ended"),
        ([begin(up=700)], "its time is over"),
        ([begin(run="run1", up=850)], "the machine was rebooted since"),
        ([begin(owner=OURS)], "it is our own, and we hold the lock at home"),
    ],
)
def test_a_turn_that_is_over_keeps_nobody_away(lines: list[str], why: str) -> None:
    assert turn().refusal([only(*lines)]) == "", why


def test_a_turn_lasts_by_the_machines_uptime_whatever_its_clock_says() -> None:
    assert only(begin(clock=99_999_999)).left == 60
    assert only(begin(clock=1)).left == 60


@pytest.mark.parametrize(
    ("clock", "ago", "why"),
    [(3000, 2000, "by the clock"), (4500, 900, "before this run began"), (99_999_999, 900, "it ran ahead")],
)
def test_what_was_done_in_an_earlier_run_is_as_old_as_the_clock_says_and_this_run_at_least(
    clock: int, ago: int, why: str
) -> None:
    assert only(begin(run="run1", clock=clock)).began == ago, why


@pytest.mark.parametrize(
    "broken",
    ["begin", f"begin {OTHER} run2 840", "\0\0\0", begin().replace("840", "8x0"), begin() + " more", "end x"],
)
def test_a_list_that_was_cut_or_written_over_is_read_as_far_as_it_goes(broken: str) -> None:
    assert [deed.key for deed in parse("\n".join([CLOCK, broken, begin()]))] == [OTHER]
    assert parse(begin()) == []


def test_our_own_repair_by_another_name_of_the_machine_keeps_us_away() -> None:
    deed = only(begin(owner=OURS))
    assert (
        replace(turn(), alive=("6", "7")).refusal([deed]).startswith("the machine is busy: monitoring host")
    )
    assert replace(turn(), alive=("6",)).refusal([deed]) == ""


def test_texts_come_back_as_they_went_and_cannot_make_a_line() -> None:
    odd = Turn(KEY, THEIRS, "mön", "external-process", "a b\nend " + OTHER, 3, "über | ;$`'\"")
    deed = only(f"begin {KEY} run2 890 4990 60 {THEIRS} {odd.words}")
    assert (deed.host, deed.subject, deed.by) == (odd.host, odd.subject, odd.by)
    assert "\n" not in odd.words
    assert len(Turn(KEY, OURS, "h" * 999, "a", "", 1, "b" * 9999).words) < 500


def deeds(*agos: tuple[float, float | None], action: str = "restart-service") -> Sequence[Deed]:
    said = ("mon2", action, "dovecot", "7", "for mail IMAP4")
    return [
        Deed(OTHER, THEIRS, *said, began, ended, "proven" if ended is not None else "", 120.0, 0.0)
        for began, ended in agos
    ]


NONE = Facts()


def judged(found: Sequence[Deed], facts: Facts = NONE, event: Event | None = EVENT) -> str:
    return judge(event, Rules(at_most=Rate(3, 3600.0)), facts, found, "restart-service", NOW)


WHO = "monitoring host mon2 (restart-service dovecot, its recovery 7, for mail IMAP4)"


def test_cooling_down_counts_from_what_another_host_did() -> None:
    assert judged(deeds((130, 120))) == (
        f"cooling down: the last one here ended 2m ago, and --cooldown is 5m; the last was {WHO}, proven"
    )
    assert judged(deeds((400, 301))) == ""


def test_one_that_never_said_its_end_may_have_lasted_for_its_whole_time() -> None:
    assert judged(deeds((400, None))) == (
        "cooling down: the last one here ended 4m40s ago, and --cooldown is 5m; "
        f"the last was {WHO}, whose end is not known"
    )
    assert judged(deeds((421, None))) == ""


def test_limits_count_what_all_hosts_did() -> None:
    facts = Facts(starts=[NOW - 3000, NOW - 2000], last_end=NOW - 1990)
    assert judged(deeds((1000, 990)), facts) == (
        f"already done 3 times on this machine in 1h, and --at-most is 3/1h; the last was {WHO}, proven"
    )
    assert judged(deeds((3700, 3690)), facts) == ""


def test_another_action_of_another_host_uses_up_no_limit() -> None:
    assert judged(deeds((60, 50), action="reboot-server")) == ""


def test_a_person_is_not_held_back_by_what_others_did() -> None:
    assert judged(deeds((60, 50), (50, 40), (40, 30)), event=None) == ""
