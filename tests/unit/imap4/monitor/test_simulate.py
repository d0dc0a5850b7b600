"""The downtime simulator, against what the vendor published and against its own rules."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.monitor.model import Monitor
from imap4.monitor.simulate import Outage, simulate
from imap4.monitor.states import Delays, Rules, State
from tests.unit.imap4.monitor.conftest import Run

VENDOR = """
[[monitor]]
name = "Mail"
address = "mail.example.org"
contacts = ["admins"]
failures_per_alert = 3
maximum_alerts = 3
delays = { up = 30, warn = 30, down = 60, lost = 30 }
recovery = { machine = "mail1", credential = "root", services = ["dovecot"], action = [
    { do = "restart-service", alerts = "2-3" },
    { do = "external-process", alerts = 1, command = ["/usr/bin/evidence", "--all"] },
    { do = "reboot-server", alerts = "3-" },
] }
"""
EXAMPLE = """\
Mail
failure  state  elapsed  action
      1  Warn      0:00  -
      2  Warn      0:30  -
      3  Down      1:00  alert 1; notify admins; external-process /usr/bin/evidence on mail1
      4  Down      2:00  -
      5  Down      3:00  -
      6  Down      4:00  alert 2; notify admins; restart-service dovecot on mail1
      7  Down      5:00  -
      8  Down      6:00  -
      9  Down      7:00  alert 3; notify admins; restart-service dovecot on mail1; reboot-server mail1
     10  Lost      7:30  -
"""
ENDS = """\
     11  Lost      8:00  -
      -  Up        8:30  recovery; notify admins: Mail is up again after 8:30: 11 failed tests, 3 alerts
"""


def test_the_published_example_comes_out_to_the_second(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    ended = imap4_monitor("simulate", write(VENDOR))
    assert (ended.stdout, ended.stderr, ended.returncode) == (EXAMPLE, "", 0)


def test_an_outage_that_ends_is_told_with_its_recovery_notification(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    ended = imap4_monitor("simulate", write(VENDOR), "--monitor", "Mail", "--length", "8m20s")
    assert (ended.stdout, ended.stderr, ended.returncode) == (EXAMPLE + ENDS, "", 0)


def test_a_repair_is_shown_with_the_port_that_it_goes_to(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    ended = imap4_monitor(
        "simulate", write(VENDOR.replace('credential = "root"', 'credential = "root", port = 22022'))
    )
    meant = EXAMPLE.replace("mail1", "mail1 port 22022")
    assert (ended.stdout, ended.stderr, ended.returncode) == (meant, "", 0)


def test_the_duration_of_tests_is_added_to_every_delay() -> None:
    """The manual's figures: 300 s of delay and tests of 10 s are steps of 310 s."""
    rows = simulate(Monitor("Mail", "192.0.2.1", "mail"), Outage(test_duration=10))
    assert [row.elapsed for row in rows] == [310 * number for number in range(10)]


def test_json_and_csv_say_the_same_as_the_table(imap4_monitor: Run, write: Callable[[str], str]) -> None:
    path = write(VENDOR)
    as_json = json.loads(imap4_monitor("simulate", path, "--format", "json").stdout)[0]["tests"]
    as_csv = list(csv.DictReader(io.StringIO(imap4_monitor("simulate", path, "--format", "csv").stdout)))
    assert [each["elapsed"] for each in as_json] == [0, 30, 60, 120, 180, 240, 300, 360, 420, 450]
    assert [each["alert"] for each in as_json if each["alert"]] == [1, 2, 3]
    assert [float(each["elapsed"]) for each in as_csv] == [each["elapsed"] for each in as_json]
    assert [each["state"] for each in as_csv] == [each["state"] for each in as_json]
    assert as_csv[5]["done"] == "notify admins; restart-service dovecot on mail1"


def test_an_outage_between_two_tests_is_not_noticed(imap4_monitor: Run, write: Callable[[str], str]) -> None:
    ended = imap4_monitor("simulate", write(VENDOR), "--start", "1s", "--length", "28s")
    assert ended.stdout == "Mail\nno test falls into the outage: nothing is noticed\n"
    assert ended.returncode == 0


def test_a_failure_without_an_alert_recovers_without_a_notification(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    ended = imap4_monitor("simulate", write(VENDOR), "--length", "45s")
    assert ended.stdout.splitlines()[-1] == "      -  Up        1:00  no notification, none was sent"


@given(
    st.builds(
        Rules,
        st.builds(Delays, *[st.integers(1, 900)] * 4),
        st.integers(1, 5),
        st.integers(0, 5),
    ),
    st.integers(0, 5000),
    st.integers(1, 5000),
    st.integers(0, 60),
)
def test_every_outage_is_noticed_late_by_one_round_at_most_and_ends_with_up(
    rules: Rules, start: int, length: int, duration: int
) -> None:
    monitor = Monitor("Mail", "192.0.2.1", "mail", rules=rules)
    rows = simulate(monitor, Outage(start, length, duration))
    if not rows:
        assert length <= rules.delays.up + duration
        return
    assert 0 <= rows[0].begins <= rules.delays.up + duration
    assert rows[-1].position.state is State.UP
    assert [row.position.failures for row in rows[:-1]] == list(range(1, len(rows)))
    assert all(row.begins < length for row in rows[:-1])
    assert rows[-1].begins >= length


SITUATIONS = """\
Mail
failure  state  elapsed  action
      1  Warn      0:00  - (downtime)
      2  Warn      0:30  - (downtime)
      3  Down      1:00  alert 1 is owed (downtime)
      4  Down      2:00  alert 1 is owed (downtime)
      5  Down      3:00  alert 1; notify admins; external-process /usr/bin/evidence on mail1
      6  Down      4:00  -
      7  Down      5:00  - (host-down)
      -  Up        6:00  the recovery is owed (host-down)
      -  Up        6:30  recovery; notify admins: Mail is up again after 6:00: 7 failed tests, 1 alert
"""


def test_situations_show_what_is_owed_and_when_it_is_told(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    ended = imap4_monitor(
        *("simulate", write(VENDOR), "--length", "5m30s"),
        *("--during", "downtime=0s-2m30s", "--during", "host-down=4m30s-6m15s"),
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == (SITUATIONS, "", 0)


def test_checks_and_handlers_that_are_off_change_the_delays(
    imap4_monitor: Run, write: Callable[[str], str]
) -> None:
    # A restart that ends while checks are off still, or while the clock is behind, is no difference.
    for also in ([], ["--during", "engine-down=40s-1m"], ["--during", "clock-back=1m-2m"]):
        words = ["simulate", write(VENDOR), "--length", "4m", "--during", "checks-off=45s-2m", *also]
        ended = imap4_monitor(*words)
        times = [line.split()[2] for line in ended.stdout.splitlines()[2:]]
        assert times == ["0:00", "0:30", "2:00", "3:00", "4:00"]
    ended = imap4_monitor(
        *("simulate", write(VENDOR), "--length", "4m"),
        *("--during", "engine-down=45s-2m", "--during", "clock-back=1m30s-2m30s"),
    )
    assert [line.split()[2] for line in ended.stdout.splitlines()[2:5]] == ["0:00", "0:30", "2:30"]
    ended = imap4_monitor("simulate", write(VENDOR), "--length", "4m", "--during", "handlers-off=0s-")
    assert [line.split()[2] for line in ended.stdout.splitlines()[2:5]] == ["0:00", "0:30", "1:00"]


def test_a_silence_without_end_ends_the_table(imap4_monitor: Run, write: Callable[[str], str]) -> None:
    ended = imap4_monitor("simulate", write(VENDOR), "--during", "notifications-off=0s-")
    assert ended.stdout.splitlines()[-1] == "      3  Down      1:00  alert 1 is owed (notifications-off)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("lunch=1m-2m", "'lunch' is none of downtime, acknowledged, host-down"),
        ("downtime", "'downtime': write downtime=FROM-TO, for example downtime=2m-5m or downtime=2m-"),
        ("downtime=5m-2m", "'downtime=5m-2m' ends before it begins"),
    ],
)
def test_a_situation_that_is_none_is_one_line(
    imap4_monitor: Run, write: Callable[[str], str], given: str, said: str
) -> None:
    ended = imap4_monitor("simulate", write(VENDOR), "--during", given)
    assert ended.returncode == 3
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
