"""Who is told what, by the rendered escalations and the real handler, however a core matches a recovery.

``core_model.py`` is the cores' part. The engines' tests run real ones; this tries many more situations.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.nagios.escalations import alerts_by, is_alert, number_of
from imap4.monitor.engines.nagios.objects import render
from imap4.monitor.model import Action, AlertRange, Contact, Definition, Monitor, Recovery
from imap4.monitor.states import Delays, Position, Rules, advance
from tests.unit.imap4.monitor.engines.nagios.core_model import Core

CONTACTS = (Contact("admins"), Contact("boss", AlertRange(2)), Contact("second", AlertRange(2, 2)))
ACTIONS = (Action("restart-service", AlertRange(1, 2)), Action("reboot-server", AlertRange(3)))
SILENCES = ("", "", "", "downtime", "host", "dependency")
TESTS = st.lists(st.tuples(st.booleans() | st.just(False), st.sampled_from(SILENCES)), max_size=60)
RULES = st.builds(Rules, st.builds(Delays), st.integers(1, 4), st.integers(0, 4))


def monitor(rules: Rules) -> Monitor:
    """Its contacts and repairs have ranges, and alert 4 is for none of the repairs but one."""
    recovery = Recovery("m", "c", ("s",), actions=ACTIONS)
    return Monitor("Mail", "192.0.2.1", "mail", rules=rules, contacts=CONTACTS, recovery=recovery)


def positions(rules: Rules, tests: list[tuple[bool, str]]) -> list[Position]:
    """What the states say."""
    found = [Position()]
    for passed, silence in tests:
        found.append(advance(rules, found[-1], passed, not silence))
    return found[1:]


@given(RULES, TESTS, st.booleans())
@example(Rules(Delays(), 1, 3), [(False, ""), (False, ""), (True, "")], True)
@example(
    Rules(Delays(), 3, 2), [(False, "host"), (False, ""), (False, ""), (True, "host"), (True, "")], False
)
def test_alerts_and_repairs_are_those_of_the_states(
    rules: Rules, tests: list[tuple[bool, str]], newer: bool
) -> None:
    core = Core(monitor(rules), newer)
    meant = []
    left = False
    for number, ((passed, silence), position) in enumerate(zip(tests, positions(rules, tests), strict=True)):
        # Where the core still owes a recovery at a new failure, its number is the old one's for one test.
        assume(not (left and not passed))
        left = newer and position.unrecovered
        core.test(passed, silence)
        if position.alert:
            alert = position.alert
            # Without a limit, the last escalations are used again and again.
            meant += [(number, each.name, "PROBLEM") for each in CONTACTS if alert in each.alerts]
            meant += [
                (number, f"repair {place}", "PROBLEM")
                for place, each in enumerate(ACTIONS)
                if alert in each.alerts
            ]
    assert sorted(each for each in core.sent if each[2] == "PROBLEM") == sorted(meant)


@given(RULES, TESTS, st.booleans())
@example(Rules(Delays(), 1, 3), [(False, ""), (False, ""), (True, "")], True)
def test_everyone_who_was_told_gets_one_recovery_and_nobody_else_does(
    rules: Rules, tests: list[tuple[bool, str]], newer: bool
) -> None:
    """In the end all is well, and everything can be sent."""
    core = Core(monitor(rules), newer)
    told: set[str] = set()
    recovered: Counter[str] = Counter()
    left = False
    for passed, silence in [*tests, (True, ""), (True, "")]:
        assume(not (left and not passed))
        before = len(core.sent)
        core.test(passed, silence)
        for _, who, kind in core.sent[before:]:
            if kind == "PROBLEM":
                told.add(who)
                recovered[who] = 0
            else:
                assert who in told, "a recovery of something never told"
                recovered[who] += 1
                assert recovered[who] == 1
        left = newer and passed and bool(silence)
    people = {who for who in told if not who.startswith("repair")}
    assert {who for who in people if recovered[who] != 1} == set()


def test_a_recovery_that_nobody_could_be_told_is_told_later_by_a_core_that_keeps_it() -> None:
    core = Core(monitor(Rules(Delays(), 1, 3)), newer=True)
    for passed in (True, False, False):
        core.test(passed)
    core.deaf = frozenset({"admins", "boss", "second"})
    core.test(True)
    core.deaf = frozenset()
    core.test(True)
    told = [(test, who) for test, who, kind in core.sent if kind == "RECOVERY"]
    assert told == [(4, "admins"), (4, "boss"), (4, "second")]


def test_silence_takes_recoveries_too() -> None:
    """Or Nagios, since 4.5.7, would send one of an outage without an alert later, to somebody else."""
    text = render(Definition("x.toml", (monitor(Rules()),)), Programs())["imap4-commands.cfg"]
    (block,) = re.findall(r"define contact \{\n    contact_name +imap4-silence\n(.*?)\n\}", text, re.DOTALL)
    assert re.search(r"^    service_notification_options +w,u,c,r$", block, re.MULTILINE)


@given(RULES, st.integers(1, 40), st.booleans())
def test_an_acknowledgement_goes_to_who_was_told(rules: Rules, failures: int, newer: bool) -> None:
    core = Core(monitor(rules), newer)
    told: set[str] = set()
    core.test(True)
    for _ in range(failures):
        core.test(False)
        told |= {who for _, who, _ in core.sent if not who.startswith("repair")}
        assert core.acknowledge() == told


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 30), st.booleans())
def test_without_event_handlers_an_outage_is_still_told_and_never_without_end(
    failures_per_alert: int, maximum: int, failures: int, newer: bool
) -> None:
    rules = Rules(Delays(), failures_per_alert, maximum)
    core = Core(monitor(rules), newer, handled=False)
    for _ in range(failures):
        core.test(False)
    repairs = [who for _, who, _ in core.sent if who.startswith("repair")]
    told = [test for test, who, _ in core.sent if who == "admins"]
    due = [alert * failures_per_alert - 1 for alert in range(1, maximum + 1)]
    assert told == [test for test in due if test < failures]
    assert len(repairs) == len(told)


@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(0, 4), st.integers(0, 4), st.integers(1, 20),
    st.integers(0, 12), st.booleans(),
)  # fmt: skip
def test_n_and_m_may_be_changed_in_an_outage(
    before: int, after: int, most: int, most_after: int, failures: int, more: int, newer: bool
) -> None:
    """No alert is left out or comes twice, and no recovery goes to somebody who was told of nothing."""
    core = Core(monitor(Rules(Delays(), before, most)), newer)
    for passed in (True, *[False] * failures):
        core.test(passed)
    changed = monitor(Rules(Delays(), after, most_after))
    # A definition with a range that no alert reaches is refused.
    known = tuple(each for each in CONTACTS if not most_after or each.alerts.first <= most_after)
    core.changed(replace(changed, contacts=known))
    for passed in (*[False] * more, True, True):
        core.test(passed)
    told = {who for _, who, kind in core.sent if kind == "PROBLEM"} & {each.name for each in known}
    recovered = Counter(who for _, who, kind in core.sent if kind == "RECOVERY")
    assert recovered == dict.fromkeys(told, 1)
    # The first repair is alert 1's and 2's, the second one all that follow.
    repairs = [who for _, who, _ in core.sent if who.startswith("repair")]
    assert repairs == sorted(repairs)
    assert repairs.count("repair 0") <= 2
    admins = [test for test, who, kind in core.sent if who == "admins" and kind == "PROBLEM"]
    assert all(later - earlier >= min(before, after) for earlier, later in pairwise(admins))
    # What was about to come by the old rules may come; after it the new ones hold.
    enough = failures // before + (more >= 2 * after)
    allowed = min(most or 99, failures // before) + max(0, more)
    assert min(enough, most or 99, most_after or 99) <= len(admins) <= allowed


@pytest.mark.parametrize("failures_per_alert", [1, 2, 5])
def test_numbers_and_alerts_are_each_others_inverse(failures_per_alert: int) -> None:
    for alert in range(1, 9):
        for number in (number_of(alert), alert * failures_per_alert):
            assert alerts_by(number, failures_per_alert) == alert
            assert alerts_by(number - 1, failures_per_alert) == alert - 1
            assert is_alert(number, failures_per_alert)
    assert not is_alert(number_of(0), failures_per_alert)
    assert not is_alert(number_of(1) + 1, failures_per_alert)
