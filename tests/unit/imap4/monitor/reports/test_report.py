"""The report as text, CSV and JSON: an outage with alerts and a repair, from records to the last line."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from imap4.monitor.records.collect import collect
from tests.unit.imap4.monitor.conftest import Run
from tests.unit.imap4.monitor.records.writing import KEEP, NOON, line, series, write

pytestmark = pytest.mark.slow

DEFINITION = """
[defaults]
contacts = ["admins", { name = "boss", alerts = "2" }]
maximum_alerts = 2
[[monitor]]
name = "Mail"
address = "mail"
[[monitor]]
name = "=cmd|' /C calc'!A0"
address = "mail2"
[[monitor]]
name = "Dark"
address = "mail3"
"""

ASKED = NOON + 3 * 300 + 600 + 1.5
HISTORY = [
    {
        "id": 1, "asked": ASKED, "started": ASKED, "ended": ASKED + 20, "seconds": 20.0,
        "action": "restart-service", "subject": "dovecot", "machine": "mail1", "state": "proven",
        "summary": "restarted", "reason": "", "proof": "the test passes",
        "event": {"host": "mail", "service": "Mail"},
    }
]  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    """Two hours from noon; Mail fails seven times from 12:15 on."""
    folder = tmp_path / "records"
    series(folder, NOON - 300, [0] * 4 + [2] * 7 + [0] * 15)
    series(folder, NOON - 300, [0] * 26, identity="=cmd|' /C calc'!A0")
    write(folder, [(NOON + 7200, line(NOON + 7200))])
    (tmp_path / "monitors.toml").write_text(DEFINITION)
    (tmp_path / "history.json").write_text(json.dumps(HISTORY))
    span = ["--from", "2026-10-05T12:00", "--to", "2026-10-05T14:00", "--timezone", "UTC"]
    where = ["-f", "monitors.toml", "--records", str(folder), "--store", str(tmp_path / "store")]
    return [*where, *span, "--repairs", "history.json", "--target", "99.9"]


TEXT = """\
IMAP4 monitors, 2026-10-05
==========================

Period:   2026-10-05 12:00 to 2026-10-05 14:00, UTC
Made:     MADE
From:     48 tests of 3 monitors
Coverage: 66.66 %

1 of 2 monitors met 99.9 %; Mail did not (70.83 %, 35 min down in 1 outage, 1
repaired automatically). Nothing is known of Dark.

  availability             budget  coverage  outages     longest  repaired
   greeting: median  95th, ms   before: median  95th, ms       certificate

Mail
       70.83 %   34 min 53 s over  100.00 %        1      35 min    1 of 1
               10.0      10.0             10.0      10.0           30 days

=cmd|' /C calc'!A0
      100.00 %           7 s left  100.00 %        -           -         -
               10.0      10.0             10.0      10.0           30 days

Dark
             -                  -    0.00 %        -           -         -
                  -         -                -         -                 -

Mail
----
up 1 h 25 min, down 35 min, planned 0 s, not covered 0 s
mean time to repair 35 min, between failures 1 h 25 min, 2 alerts
failed tests: connect.refused 7

2026-10-05 12:15:00 UTC: down for 35 min, alert after 10 min, repaired after 10
min 22 s, 7 failed tests
  05 Oct 12:15:00  IMAP4 CRITICAL - mail:143 connection refused
                   [connect.refused]
  05 Oct 12:25:00  alert 1 due to admins
  05 Oct 12:25:01  restart-service dovecot on mail1
  05 Oct 12:25:21  proven: the test passes
  05 Oct 12:40:00  alert 2 due to admins, boss
  05 Oct 12:50:00  the test passes again; recovery told to admins, boss

How it was counted
------------------
"""


def test_the_text_tells_the_whole_story(imap4_monitor: Run, places: list[str]) -> None:
    ended = imap4_monitor("report", *places)
    assert (ended.stderr, ended.returncode) == ("", 0)
    made = next(each for each in ended.stdout.splitlines() if each.startswith("Made:"))
    text = ended.stdout.replace(made, "Made:     MADE")
    assert text[: len(TEXT)] == TEXT
    assert max(map(len, text.splitlines())) <= 80


def test_csv_has_the_same_numbers_and_no_formula(
    imap4_monitor: Run, places: list[str], tmp_path: Path
) -> None:
    assert imap4_monitor("report", *places, "--format", "csv", "-o", "out.csv").stdout == ""
    mail, other, dark = csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text()))
    assert mail["availability"] == str(85 / 120)
    assert (mail["down_s"], mail["outages"], mail["target_met"]) == ("2100.0", "1", "False")
    assert (mail["mean_time_to_alert_s"], mail["mean_time_to_proven_repair_s"]) == ("600.0", "621.5")
    assert (mail["greeting_median_s"], mail["certificate_days"]) == ("0.01", "30.5")
    assert other["name"] == "'=cmd|' /C calc'!A0"
    assert (dark["availability"], dark["coverage"], dark["tests"]) == ("", "0.0", "0")


def test_json_has_every_outage_and_day(imap4_monitor: Run, places: list[str]) -> None:
    found = json.loads(imap4_monitor("report", *places, "--format", "json").stdout)
    assert (found["version"], found["tests"], found["broken_lines"]) == (1, 48, 0)
    mail = found["monitors"][0]
    (story,) = mail["stories"]
    assert story["begin"] == "2026-10-05T12:15:00.000+00:00"
    assert story["end"] == "2026-10-05T12:50:00.000+00:00"
    assert [alert["due"] for alert in story["alerts"]] == [["admins"], ["admins", "boss"]]
    assert [repair["state"] for repair in story["repairs"]] == ["proven"]
    assert mail["causes"] == {"connect.refused": 7}
    assert [day["down_s"] for day in mail["days"]] == [2100.0]


def test_only_some_monitors_hours_and_planned_spans_are_reported(
    imap4_monitor: Run, places: list[str], tmp_path: Path
) -> None:
    (tmp_path / "planned.toml").write_text(
        "[[span]]\nbegin = 2026-10-05T12:30:00\nend = 2026-10-05T13:00:00\n"
        'monitors = ["M*"]\nreason = "move"\n'
    )
    more = ["--monitor", "M*", "--hours", "mon 12:00-13:00", "--planned-file", "planned.toml"]
    found = json.loads(imap4_monitor("report", *places, *more, "--format", "json").stdout)
    (mail,) = found["monitors"]
    assert (mail["up_s"], mail["down_s"], mail["planned_s"], mail["not_covered_s"]) == (900, 900, 1800, 0)
    assert found["notes"][:2] == [
        "Only mon 12:00-13:00 counts.",
        "2026-10-05 12:30 to 2026-10-05 13:00 counts as planned downtime for M*: move.",
    ]


def test_broken_lines_are_said(imap4_monitor: Run, places: list[str], tmp_path: Path) -> None:
    for name in ("20261005T12-0.tsv", "20261005T16-0.tsv"):
        with (tmp_path / "records" / name).open("a") as file:
            file.write("\nbroken\n")
    said = "1 line of this period could not be read, and left out."
    collect([tmp_path / "records"], tmp_path / "store", {}, keep=KEEP, now=time.time() + 86400)
    assert said in imap4_monitor("report", *places).stdout.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--period", "soon"], "report: 'soon' is no period; write 2026, 2026-10, 2026-10-05, 2026-W41 or "
         "today, yesterday, this-week, last-week, this-month, last-month"),
        (["--from", "2026-10-05"], "report: give --from and --to, or --period"),
        (["--from", "2026-10-05", "--to", "2026-10-04"], "report: --to must be after --from"),
        (["--monitor", "Nobody"], 'report: no monitor "Nobody", neither in a definition nor in the records'),
        (["--hours", "always"], "report: 'always' are no working hours; write 'mon-fri"),
        (["--planned-file", "none.toml"], "report: none.toml: cannot be read: No such file or directory"),
        (["--repairs", "monitors.toml"], "report: monitors.toml: is no history as JSON"),
        (["-f", "none.toml"], "report: none.toml: cannot be read: No such file or directory"),
        (["-o", "/nowhere/x"], "report: /nowhere/x: cannot be written: No such file or directory"),
        (["--target", "101"], "imap4-monitor report: argument --target: '101' is no"),
        (["--timezone", "Mars"], "report: Mars: no such time zone; write one such as Europe/Berlin or UTC"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_line(imap4_monitor: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "monitors.toml").write_text(DEFINITION)
    ended = imap4_monitor("report", "--records", "r", "--store", "s", "-f", "monitors.toml", *arguments)
    assert ended.stderr.startswith(said)
    assert (ended.stdout, ended.stderr.count("\n"), ended.returncode) == ("", 1, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[span]]\nbegin = 2026-10-05\n", "span 1: end: must be a time"),
        ("[[span]]\nbegin = 2026-10-05\nend = 2026-10-04\n", "span 1: ends before it begins"),
        ("[[span]]\nbegin = 2026-10-05\nend = 2026-10-06\nplaned = true\n", "span 1: may have begin"),
        ("[[span]]\nbegin = 2026-10-05\nend = 2026-10-06\nmonitors = 'x'\n", "span 1: monitors must"),
        ("x = 1\n", "must have [[span]] tables, and nothing else"),
        ("[[span", "is no TOML"),
    ],
)  # fmt: skip
def test_a_wrong_planned_file_is_one_line(imap4_monitor: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "planned.toml").write_text(text)
    ended = imap4_monitor("report", "--planned-file", "planned.toml")
    assert said in ended.stderr
    assert (ended.stderr.count("\n"), ended.returncode) == (1, 3)
