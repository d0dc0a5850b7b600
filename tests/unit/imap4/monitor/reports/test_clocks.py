"""Hosts whose clocks are wrong are named wherever somebody looks, with how much they are off."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.check.record import FIELDS
from imap4.monitor.model import Monitor
from imap4.monitor.records.collect import collect
from imap4.monitor.records.folder import ahead, examine
from imap4.monitor.reports.asking import Places
from imap4.monitor.reports.clocks import Flip, disagreements
from imap4.monitor.reports.counting.periods import Period, zone_of
from imap4.monitor.reports.model import Sources, Wish, make
from tests.unit.imap4.monitor.conftest import Run
from tests.unit.imap4.monitor.records.writing import KEEP, NOON, line, write

HOUR, DAY = 3600, 86400
DEFINITION = '[defaults]\ncontacts = ["admins"]\n[[monitor]]\nname = "Mail"\naddress = "mail"\n'


def recorded(moment: float, host: str, state: int = 0, identity: str = "Mail") -> tuple[float, str]:
    """A line by a host."""
    fields = line(moment, state, identity).split("\t")
    fields[FIELDS.index("recorder")] = host
    return moment, "\t".join(fields)


@pytest.mark.slow
def test_a_clock_that_is_ahead_is_named_by_status_doctor_collect_show_and_report(
    imap4_monitor: Run, tmp_path: Path
) -> None:
    now = time.time()
    folder, store = tmp_path / "records", tmp_path / "store"
    (tmp_path / "monitors.toml").write_text(DEFINITION)
    write(folder, [recorded(now - 60, "right"), recorded(now + 2 * HOUR, "wrong")])
    where = ["-f", "monitors.toml", "--records", str(folder), "--store", str(store)]
    told = re.compile(
        r"The clock of wrong is ahead by (2 h|1 h 59 min) or more: tests of it came before the times that "
        r"they give\. They count at those times, and not before\.\n"
    )
    ended = imap4_monitor("status", *where)
    assert told.fullmatch(ended.stderr)
    assert ended.stdout.splitlines()[1].split()[:5] == ["Up", "Mail", "OK", "1", "min"]
    found = examine(str(folder), [Monitor("Mail", "mail", "mail")], store, now)
    (wrong,) = [each for each in found if each.title.startswith("the clock")]
    assert re.fullmatch(r"the clock of wrong is ahead by 7[12]\d\d s or more", wrong.title)
    assert not wrong.ok

    collect([folder], store, {}, keep=KEEP, now=now + 4 * HOUR)  # when the hour is over, by whoever's clock
    assert 7100 < ahead(folder, store, now)["wrong"] <= 7200
    assert ahead(folder, store, now + 3 * DAY) == {}
    shown = imap4_monitor("records", "show", "--store", str(store)).stdout
    assert re.search(r"UTC: the clock of wrong was ahead by 7[12]\d\d s or more\n", shown)
    (tmp_path / "history.json").write_text("[]")
    begin = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(now - HOUR))
    end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(now + 6 * HOUR))
    report = imap4_monitor(
        "report", "--from", begin, "--to", end, *where, "--repairs", "history.json", "--timezone", "UTC"
    )
    assert told.search(report.stdout.replace("\n  ", " "))
    # What was is not what is: last week's report says nothing of today's clock.
    begin, end = (time.strftime("%Y-%m-%d", time.gmtime(now - each * DAY)) for each in (9, 2))
    report = imap4_monitor("report", "--from", begin, "--to", end, *where, "--repairs", "history.json")
    assert (report.returncode, "clock" in report.stdout) == (0, False)


def test_the_collector_says_so_without_failing(imap4_monitor: Run, tmp_path: Path) -> None:
    moment = time.time() // HOUR * HOUR - 2 * HOUR
    write(tmp_path / "records", [recorded(moment, "right")])
    (path,) = (tmp_path / "records").iterdir()
    path.write_text(path.read_text() + recorded(time.time() + 900, "wrong")[1])
    ended = imap4_monitor("records", "collect", str(tmp_path / "records"), "--store", str(tmp_path / "store"))
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert re.match(r"The clock of wrong is ahead by 1[45] min( \d+ s)? or more: ", ended.stdout)


def test_a_pipe_or_a_link_in_the_folder_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "20261005T12-0.tsv")
    (tmp_path / "20261005T13-0.tsv").symlink_to("/etc/passwd")
    assert ahead(tmp_path, tmp_path / "store", NOON) == {}


def seen_by(host: str, off: int, every: int, outages: list[tuple[int, int]], phase: int) -> list[Flip]:
    """What a host sees of outages (begin, end), in milliseconds: it tests so often, and its clock is off."""
    found, was = [], True
    for moment in range(phase, 2 * DAY * 1000, every):
        passed = not any(begin <= moment < end for begin, end in outages)
        if passed != was:
            found.append(Flip("Mail", host, passed, moment - every + off, moment + off))
        was = passed
    return found


OUTAGES = [(HOUR * 1000 * each, HOUR * 1000 * each + 1_900_000) for each in (2, 9, 17, 25, 40)]


@given(
    st.integers(-3_600_000, 3_600_000),
    st.integers(60_000, 600_000),
    st.integers(0, 59_999),
    st.integers(0, 59_999),
)
def test_two_hosts_that_see_the_same_tell_how_far_apart_their_clocks_are(
    off: int, every: int, one: int, other: int
) -> None:
    flips = seen_by("a", 0, every, OUTAGES, one) + seen_by("b", off, every, OUTAGES, other)
    found = disagreements(flips)
    if found:
        ((early, late, by, seen),) = found
        assert (early, late) == (("a", "b") if off > 0 else ("b", "a"))
        assert abs(by - abs(off)) <= every
        assert seen == 10
    else:
        assert abs(off) <= 2 * every


@given(st.integers(60_000, 600_000), st.integers(0, 599_999), st.integers(0, 599_999))
def test_two_right_clocks_are_never_said_to_be_wrong(every: int, one: int, other: int) -> None:
    flips = seen_by("a", 0, every, OUTAGES, one) + seen_by("b", 0, every, OUTAGES, other)
    assert disagreements(flips) == []


@pytest.mark.slow
def test_the_report_says_that_two_hosts_saw_the_same_at_different_times(tmp_path: Path) -> None:
    places = Places((tmp_path / "records",), tmp_path / "store", (Monitor("Mail", "mail", "mail"),))
    for number in range(60):
        state = 2 if number % 20 in (7, 8, 9) else 0
        write(places.folders[0], [recorded(NOON + 300 * number, "here", state)])
        write(places.folders[0], [recorded(NOON + 300 * number + 1500, "there", state)])
    period = Period((NOON - HOUR) * 1000, (NOON + 12 * HOUR) * 1000, "any", zone_of("UTC"))
    (note,) = [
        each
        for each in make(places, Wish(period), Sources(), (NOON + DAY) * 1000).notes
        if "saw the same" in each
    ]
    assert note == (
        "there saw the same as here, 6 times, about 25 min later: one of the two clocks is wrong. "
        "Each test counts at the time that its own host gave it."
    )
