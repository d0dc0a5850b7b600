"""What engines do in an outage, against the state machine's table: order and counts exactly, times nearly.

``scenarios.py`` says why times have a tolerance, and which.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
from itertools import pairwise

import pytest

from imap4.monitor.engines.command_lines import Programs, check_arguments, recorded_arguments
from imap4.monitor.engines.icinga2 import doctor as doctor_icinga2
from imap4.monitor.engines.nagios import doctor as doctor_nagios
from imap4.monitor.states import State
from tests.engines import icinga, nagios_core
from tests.engines.conftest import Run
from tests.engines.scenarios import DELAYS, EARLY, LATE, table

OUTAGES = (
    "Plain",
    "Every failure is an alert",
    "One alert",
    "One failure, one alert",
    "Slow",
    "Blip",
    "No limit",
    "Odd \u00e9 $HOME$ 'x';y",
)


@pytest.mark.parametrize("name", OUTAGES)
def test_tests_come_at_the_delays_of_the_table(run: Run, name: str) -> None:
    scenario = run.scenarios[name]
    assert scenario.done(run.recorder), run.engine.log()[-3000:]
    scenario.check_tests(run.recorder)


@pytest.mark.parametrize("name", OUTAGES)
def test_alerts_repairs_and_recovery_notifications_are_those_of_the_table(run: Run, name: str) -> None:
    run.scenarios[name].check_notices(run.recorder)


def test_the_table_has_every_state_and_silence_in_lost() -> None:
    """The outages would show little if they did not go that far."""
    from tests.engines.scenarios import rules

    states = [each.position.state for each in table(rules(3, 2), [True, *[False] * 8, True])]
    assert states == [State.UP, *[State.WARN] * 2, *[State.DOWN] * 4, *[State.LOST] * 2, State.UP]


def test_hostile_arguments_reach_the_check_as_they_were_given(run: Run) -> None:
    scenario = run.scenarios[OUTAGES[-1]]
    meant = recorded_arguments(scenario.monitor, Programs())[1:] + ["--downtime", "0"] * 2
    assert run.recorder.arguments(scenario.server.port) == meant


def _where(run: Run) -> tuple[str, ...]:
    """Where a repair tells the engine."""
    if run.is_nagios:
        return ("--nagios-command-file", run.programs.command_file)
    return ("--icinga-api", run.programs.icinga_api, "--icinga-server-name", "localhost")


@pytest.mark.parametrize(("name", "port"), [("Plain", ()), ("Every failure is an alert", ("--port", "2222"))])
def test_a_repair_is_told_its_range_machine_port_and_proof(
    run: Run, name: str, port: tuple[str, ...]
) -> None:
    scenario = run.scenarios[name]
    repairs = [each for each in run.recorder.notices(name) if each.who == "repair"]
    event = "nagios" if run.is_nagios else "icinga"
    test = " ".join([run.recorder.check, *check_arguments(scenario.monitor, Programs())[1:]])
    meant = (
        *("restart-service", "--event", event, "--alerts", "1-2", *_where(run), "--machine", "mail1"),
        *("--credential", "root", *port, "--service", "dovecot", "--verify", test, "--detach"),
    )
    assert [each.arguments for each in repairs] == [meant] * 2


def test_downtime_sends_and_repairs_nothing_and_testing_goes_on(run: Run) -> None:
    scenario = run.scenarios["Downtime"]
    assert run.recorder.notices("Downtime") == []
    assert [test.status == 0 for test in scenario.tests(run.recorder)] == scenario.results
    # What could not be told is owed: Down, and never Lost.
    waits = [test.begin - before.end for before, test in pairwise(scenario.tests(run.recorder))]
    for waited in waits[2:-1]:
        assert DELAYS.down - EARLY <= waited <= DELAYS.down + LATE + run.recorder.stall


def test_an_acknowledgement_ends_alerts_and_repairs_but_not_the_recovery_notification(run: Run) -> None:
    scenario = run.scenarios["Acknowledged"]
    assert [test.status == 0 for test in scenario.tests(run.recorder)] == scenario.results
    # It comes at once, where Nagios may still be at the alert's own number: so it may reach the repair, which
    # refuses what is no problem.
    notices = run.recorder.notices("Acknowledged")
    found = [(each.who, each.kind, each.alert) for each in notices if each.kind != "ACKNOWLEDGEMENT"]
    assert sorted(found) == [("admins", "PROBLEM", 0), ("admins", "RECOVERY", 0), ("repair", "PROBLEM", 1)]
    assert ("admins", "ACKNOWLEDGEMENT") in [(each.who, each.kind) for each in notices]


def test_a_restart_in_the_middle_of_an_outage_loses_neither_count_nor_alerts(restarted: Run) -> None:
    scenario = restarted.scenarios["Plain"]
    assert scenario.done(restarted.recorder), restarted.engine.log()[-3000:]
    assert [test.status == 0 for test in scenario.tests(restarted.recorder)] == scenario.results
    scenario.check_notices(restarted.recorder)


def test_the_doctor_finds_nothing_wrong_with_a_right_engine(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitors = [each.monitor for each in run.scenarios.values()]
    programs = Programs()
    if isinstance(run.engine, nagios_core.Nagios):
        programs = Programs(command_file=str(run.engine.command_file))
        config = run.engine.folder / "nagios.cfg"
        found = list(doctor_nagios.examine("nagios", str(config), programs, monitors))
    else:
        config = run.engine.folder / "icinga2.conf"
        places = icinga.defines(run.engine.folder)
        # As whom the engine runs here, and a program that is not where a person would have it.
        monkeypatch.setenv("ICINGA2_USER", pwd.getpwuid(os.geteuid()).pw_name)
        api = run.programs.icinga_api
        programs = dataclasses.replace(programs, recovery=run.recorder.recovery, icinga_api=api)
        found = list(doctor_icinga2.examine(str(config), programs, monitors, defines=places))
    assert [each for each in found if not each.ok] == []
    assert len(found) > len(monitors)
