"""The state machine, for all rules and all sequences of results."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from imap4.monitor.states import Delays, Position, Rules, State, advance

RULES = st.builds(
    Rules,
    delays=st.builds(Delays, *[st.integers(1, 1000)] * 4),
    failures_per_alert=st.integers(1, 6),
    maximum_alerts=st.integers(0, 5),
)
RESULTS = st.lists(st.sampled_from([False, False, False, True]), max_size=80)


def run(rules: Rules, results: list[bool]) -> list[Position]:
    """The position after each test."""
    found = [Position()]
    for passed in results:
        found.append(advance(rules, found[-1], passed))
    return found[1:]


@given(RULES, RESULTS)
def test_a_success_at_any_point_resets(rules: Rules, results: list[bool]) -> None:
    last = run(rules, [*results, True])[-1]
    assert (last.state, last.failures, last.alert) == (State.UP, 0, None)
    assert last.delay == rules.delays.up


@given(RULES, RESULTS)
def test_alerts_come_at_multiples_and_are_numbered_from_one(rules: Rules, results: list[bool]) -> None:
    for position in run(rules, results):
        if position.alert is not None:
            assert position.failures == position.alert * rules.failures_per_alert
            assert position.state is State.DOWN


@given(RULES, RESULTS)
def test_an_outage_has_never_more_alerts_than_the_maximum_and_none_left_out(
    rules: Rules, results: list[bool]
) -> None:
    for passed, outage in itertools.groupby(run(rules, results), lambda each: each.failures == 0):
        if passed:
            continue
        tests = list(outage)
        alerts = [each.alert for each in tests if each.alert is not None]
        due = len(tests) // rules.failures_per_alert
        assert alerts == list(range(1, 1 + (min(due, rules.maximum_alerts) if rules.maximum_alerts else due)))


@given(RULES, RESULTS)
def test_lost_is_silent_and_comes_after_the_last_alert_only(rules: Rules, results: list[bool]) -> None:
    for position in run(rules, results):
        beyond = rules.maximum_alerts and position.failures > rules.failures_per_alert * rules.maximum_alerts
        assert (position.state is State.LOST) == bool(beyond)
        if position.state is State.LOST:
            assert position.alert is None
            assert position.delay == rules.delays.lost


@given(RULES, RESULTS)
def test_one_recovery_notification_and_only_after_an_alert(rules: Rules, results: list[bool]) -> None:
    alerted = False
    for position in run(rules, results):
        if position.failures:
            alerted = alerted or position.alert is not None
            assert not position.recovery
        else:
            assert position.recovery == alerted
            alerted = False


TOLD = st.lists(
    st.tuples(st.sampled_from([False, False, False, True]), st.sampled_from([True, True, False])), max_size=80
)


@given(RULES, TOLD)
def test_what_cannot_be_told_is_owed_and_takes_the_next_number(
    rules: Rules, tests: list[tuple[bool, bool]]
) -> None:
    before, since, alerts = Position(), 0, 0
    for passed, tellable in tests:
        after = advance(rules, before, passed, tellable)
        if passed:
            since = alerts = 0
            assert not after.failures
            told = before.alerts > 0 or before.unrecovered
            assert (after.recovery, after.owed) == (told and tellable, told and not tellable)
        else:
            since += 1
            due = since >= rules.failures_per_alert and alerts < (rules.maximum_alerts or 99)
            assert after.owed == (due and not tellable)
            assert after.alert == (alerts + 1 if due and tellable else None)
            if after.alert:
                since, alerts = 0, alerts + 1
        before = after


@given(RULES, st.integers(0, 40))
def test_an_outage_that_could_not_be_told_in_time_is_never_lost_before_its_alerts(
    rules: Rules, silent: int
) -> None:
    position = Position()
    for _ in range(silent):
        position = advance(rules, position, False, False)
        assert position.state in (State.WARN, State.DOWN)
    needed = max(1, rules.failures_per_alert - silent)
    for _ in range(needed):
        position = advance(rules, position, False)
    assert position.alert == 1


@given(RULES, RESULTS)
def test_warn_is_everything_before_the_first_alert(rules: Rules, results: list[bool]) -> None:
    for position in run(rules, results):
        warn = 0 < position.failures < rules.failures_per_alert
        assert (position.state is State.WARN) == warn
        if warn:
            assert position.alert is None
            assert position.delay == rules.delays.warn


def test_the_wait_after_the_last_alert_is_already_that_of_lost() -> None:
    rules = Rules(Delays(up=1, warn=2, down=3, lost=4), failures_per_alert=2, maximum_alerts=2)
    assert [each.delay for each in run(rules, [False] * 6)] == [2, 3, 3, 4, 4, 4]
