"""Who is told what in situations of real life: every engine against the state machine."""

from __future__ import annotations

import pytest

from tests.engines import core
from tests.engines.situation_runs import ALL, ENGINES, NOT_RUN, Runs
from tests.engines.situations import FORGETS, GROUP, KEEPS, SILENCERS, Situation, found, mistakes


@pytest.mark.parametrize("situation", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_who_is_told_what(situations: Runs, engine: str, situation: Situation) -> None:
    if (engine, situation.engine) in NOT_RUN:
        assert engine in situation.differs
        return
    run = situations[engine, situation.engine]
    its = run.monitors[situation.name]
    assert not run.late, "this machine was too slow to disturb an engine between two tests, 20 s"
    assert run.tests(situation) >= len(situation.results), run.engine.log()[-3000:]
    seen = found(situation, its.port, run.recorder)
    kind = engine if not run.is_nagios else KEEPS if core.keeps_recoveries() else FORGETS
    if kind in situation.differs:
        wrong = mistakes(situation.expected(early=False), seen)
        # What differs are alerts where handlers are off or the engine has forgotten them, else recoveries.
        alerts = situation.engine or "handlers" in situation.name
        assert [each for each in wrong if "RECOVERY" not in each and not alerts] == []
        return
    meant = situation.expected(early=run.is_nagios and not core.keeps_recoveries())
    wrong = mistakes(meant, seen)
    assert not wrong, "\n".join([str(situation), *wrong])


@pytest.mark.parametrize("engine", ENGINES)
def test_checks_that_were_off_go_on_after_the_outages_own_delay(situations: Runs, engine: str) -> None:
    """Not after Up's, 80 s; but for Naemon."""
    run = situations[engine, ""]
    (name,) = run.checked_again
    if run.is_nagios and core.IS_NAEMON:
        return
    tests = run.recorder.tests(run.monitors[name].port)
    assert tests[3].begin - run.checked_again[name] < 40


def test_no_function_of_ours_fails_in_icinga(situations: Runs) -> None:
    for (engine, word), run in situations.items():
        if engine == "icinga2":
            said = run.engine.log() + (run.folder / "stdout").read_text()
            assert [each for each in said.splitlines() if "imap4-commands.conf(" in each] == [], word


def test_icingas_history_says_that_something_was_sent_only_at_alerts(situations: Runs) -> None:
    """An alert has an entry for everybody, whatever the range; a test that is none has no entry."""
    run = situations["icinga2", ""]
    log = run.engine.log()
    for each in run.situations:
        if any("handlers off" in what for what in each.happens.values()):
            continue
        its = run.monitors[each.name]
        sent = log.count(f"Completed sending 'Problem' notification '{its.host}!{its.service}!")
        alerts = len([position for position in each.positions() if position.alert])
        # What Icinga itself kept back it may bring up again where that ends.
        ends = sum(what in SILENCERS.values() for words in each.happens.values() for what in words)
        assert sent <= (alerts + ends) * len((*GROUP, "boss", "imap4-recovery")), each.name
