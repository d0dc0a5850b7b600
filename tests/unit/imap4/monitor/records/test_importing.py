"""What engines logged before there were records, from their files to the report."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.imap4.monitor.conftest import Run
from tests.unit.imap4.monitor.records.writing import NOON, series

pytestmark = pytest.mark.slow

DEFINITION = """
[[monitor]]
name = "Mail"
address = "mail"
host = "mail"
contacts = ["admins"]
[[monitor]]
name = "Shown"
id = "Old"
address = "mail2"
host = "mail"
"""

BYE = "IMAP4 CRITICAL - mail:143 BYE [greeting.bye]"
LOG = [
    (0, "Nagios 4.4.6 starting... (PID=1)"),
    (0, "INITIAL SERVICE STATE: mail;Mail;OK;HARD;1;IMAP4 OK - fine"),
    (0, "CURRENT SERVICE STATE: mail;Old;OK;HARD;1;IMAP4 OK - fine"),
    (5, "SERVICE ALERT: mail;Other;CRITICAL;SOFT;1;no monitor of ours"),
    (600, f"SERVICE ALERT: mail;Mail;CRITICAL;SOFT;1;{BYE}"),
    (900, f"SERVICE ALERT: mail;Mail;CRITICAL;SOFT;2;{BYE}"),
    (1200, f"SERVICE ALERT: mail;Mail;CRITICAL;HARD;3;{BYE}"),
    (1201, f"SERVICE NOTIFICATION: admins;mail;Mail;CRITICAL;notify;{BYE}"),
    (1201, f"SERVICE NOTIFICATION: imap4-silence;mail;Mail;CRITICAL;imap4-silence;{BYE}"),
    (1500, "SERVICE ALERT: mail;Mail;OK;HARD;3;IMAP4 OK - fine"),
    (1800, "HOST DOWNTIME ALERT: mail;STARTED; planned"),
    (2400, "HOST DOWNTIME ALERT: mail;STOPPED; over"),
    (3000, "Caught SIGTERM, shutting down..."),
    (3300, "Nagios 4.4.6 starting... (PID=2)"),
    (3300, "INITIAL SERVICE STATE: mail;Mail;OK;HARD;1;IMAP4 OK - fine"),
    (3600, "LOG ROTATION: DAILY"),
]


@pytest.fixture
def where(tmp_path: Path) -> list[str]:
    """The options that say where."""
    (tmp_path / "monitors.toml").write_text(DEFINITION)
    (tmp_path / "history.json").write_text("[]")
    return ["-f", "monitors.toml", "--store", "store"]


def log(folder: Path, *names: str) -> None:
    """Write the log in two pieces, one of them gzipped."""
    texts = [f"[{NOON + moment}] {text}\n" for moment, text in LOG]
    (folder / names[0]).write_bytes(gzip.compress("".join(texts[:7]).encode()))
    (folder / names[1]).write_text("".join(texts[7:]) + "not an entry\n")


def report(imap4_monitor: Run, where: list[str]) -> dict[str, Any]:
    ended = imap4_monitor(
        *("report", *where, "--records", "records", "--repairs", "history.json", "--timezone", "UTC"),
        *("--from", "2026-10-05T12:00", "--to", "2026-10-05T13:00", "--format", "json"),
    )
    assert ended.stderr == ""
    found: dict[str, Any] = json.loads(ended.stdout)
    return {each["id"]: each for each in found["monitors"]}


def test_a_log_and_its_archive_become_the_story_of_the_outage(
    imap4_monitor: Run, tmp_path: Path, where: list[str]
) -> None:
    log(tmp_path, "nagios-10-05-2026-00.log.gz", "nagios.log")
    command = ("records", "import", *where, "nagios.log", "nagios-10-05-2026-00.log.gz")
    ended = imap4_monitor(*command)
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert ended.stdout.splitlines() == [
        "store: 11 tests and log entries, 1 notifications", "in no definition: Other on mail",
    ]  # fmt: skip
    found = report(imap4_monitor, where)
    mail = found["Mail"]
    shares = [mail[f"{name}_s"] for name in ("up", "down", "planned", "not_covered")]
    assert shares == [600 + 300 + 600 + 300, 900, 600, 300]
    (story,) = mail["stories"]
    assert (story["begin"], story["cause"], story["failed_tests"]) == (
        "2026-10-05T12:10:00.000+00:00", "greeting.bye", 3,
    )  # fmt: skip
    (alert,) = story["alerts"]
    assert alert["time"] == "2026-10-05T12:20:00.000+00:00"
    assert alert["sent"] == [{"time": "2026-10-05T12:20:01.000+00:00", "contact": "admins"}]
    # Not logged again after the restart: nothing is known of it from the stop on.
    assert [found["Old"][f"{name}_s"] for name in ("up", "planned", "not_covered")] == [2400, 600, 600]
    assert mail["tests"] == 0  # entries of a log are no tests
    again = imap4_monitor(*command).stdout.splitlines()[0]
    assert (
        again
        == "store: 0 tests and log entries, 0 notifications; 11 were known or are of a time that has records"
    )
    assert report(imap4_monitor, where) == found


PERFDATA = (
    "DATATYPE::SERVICEPERFDATA\tTIMET::{}\tHOSTNAME::mail\tSERVICEDESC::{}\tSERVICEPERFDATA::"
    "time=0.020000s;;;0;10 resolve=0.000100s;;;0;10 connect=0.001000s;;;0;10 greeting=0.010000s;;;0;10 "
    "certificate=30.50;;\tSERVICECHECKCOMMAND::imap4\tHOSTSTATE::UP\tHOSTSTATETYPE::HARD\t"
    "SERVICESTATE::{}\tSERVICESTATETYPE::HARD\n"
)


def test_performance_data_becomes_tests_with_their_times(
    imap4_monitor: Run, tmp_path: Path, where: list[str]
) -> None:
    """PNP4Nagios' format, and Icinga 2's, which has numbers for states."""
    lines = [PERFDATA.format(NOON + 300 * number, "Mail", "OK") for number in range(12)]
    lines[3] = PERFDATA.format(NOON + 900, "Mail", "2")
    lines += [PERFDATA.format(NOON, "Other", "OK"), "DATATYPE::HOSTPERFDATA\tTIMET::1\n"]
    lines += [PERFDATA.format("soon", "Mail", "OK")]
    (tmp_path / "service-perfdata").write_text("".join(lines))
    ended = imap4_monitor("records", "import", *where, "service-perfdata")
    said = "store: 12 tests and log entries, 0 notifications; 1 lines could not be read\n"
    said += "in no definition: Other on mail\n"
    assert (ended.stdout, ended.returncode) == (said, 1)
    mail = report(imap4_monitor, where)["Mail"]
    assert (mail["tests"], mail["up_s"], mail["down_s"], mail["outages"]) == (12, 3300, 300, 1)
    assert (mail["connect_median_s"], mail["greeting_p95_s"], mail["certificate_days"]) == (0.001, 0.01, 30.5)


def test_what_is_recorded_wins_over_what_was_logged(
    imap4_monitor: Run, tmp_path: Path, where: list[str]
) -> None:
    series(tmp_path / "records", NOON + 1020, [0] * 9)
    collected = imap4_monitor("records", "collect", *where, "records", "--keep", "9999d")
    assert collected.returncode == 0
    log(tmp_path, "a.log", "b.log")
    imap4_monitor("records", "import", *where, "a.log", "b.log")
    mail = report(imap4_monitor, where)["Mail"]
    # 12:10 to 12:17 is the log's, from 12:17 on the records say that all is well.
    assert (mail["down_s"], mail["planned_s"], mail["outages"]) == (420, 0, 1)


def test_what_cannot_be_read_is_one_line(imap4_monitor: Run, tmp_path: Path, where: list[str]) -> None:
    ended = imap4_monitor("records", "import", *where, "none.log")
    assert (ended.stderr, ended.returncode) == (
        "records: none.log: cannot be read: No such file or directory\n",
        3,
    )
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"[1] x\n" * 9999)[:20])
    assert (
        "records: cut.gz: cannot be read: Compressed file ended"
        in imap4_monitor("records", "import", *where, "cut.gz").stderr
    )
