"""What the collector leaves for ``status`` says the same as every record, whatever came when."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imap4.monitor.model import Monitor
from imap4.monitor.records import summary
from imap4.monitor.records.collect import collect
from imap4.monitor.records.manifest import load
from imap4.monitor.reports.asking import Places
from imap4.monitor.reports.status import Seen, look
from imap4.monitor.states import Delays, Rules
from tests.unit.imap4.monitor.records.writing import KEEP, NOON, line, series, write

pytestmark = pytest.mark.slow

HOUR, DAY = 3600, 86400
RULES = Rules(Delays(900, 300, 600, 7200), failures_per_alert=2, maximum_alerts=2)
MONITORS = tuple(Monitor(each, each, each, rules=RULES, test_duration=5) for each in ("A", "B", "Off"))


class Probe(NamedTuple):
    """One test, and where and when its line is seen."""

    at: int
    """Seconds after noon."""
    state: int
    downtime: bool
    monitor: str
    host: int
    late: int
    """The step before which its line comes."""


class Step(NamedTuple):
    """A moment at which somebody looks, and perhaps a collector is at work."""

    at: int
    collects: bool
    knows: bool
    """Whether the collector has the definitions."""
    again: bool
    """Whether files that were collected are brought once more, as ``rsync`` does."""


# Times are drawn from few, so that hosts overlap, tests coincide, and gaps are as long as results hold.
TESTS = st.lists(
    st.builds(
        Probe,
        st.integers(-60, 60).map(lambda n: n * 600),
        st.sampled_from([0, 0, 0, 0, 1, 2, 2, 2, 3]),
        st.booleans() | st.just(False),
        st.sampled_from(["A", "B", "Gone"]),
        st.integers(0, 1),
        st.sampled_from([0, 0, 0, 1, 2, 3]),
    ),
    min_size=4,
    max_size=60,
    unique_by=lambda test: (test.at, test.monitor, test.host),
)
# Clocks may be set back: a step may be before the one before it.
STEPS = st.lists(
    st.builds(
        Step, st.integers(-12, 60).map(lambda n: n * HOUR), st.booleans(), st.booleans(), st.booleans()
    ),
    min_size=4,
    max_size=4,
)


def by_everything(places: Places, now: int) -> Seen:
    """The status without a summary."""
    path = places.store / "summary.json"
    if not path.exists():
        return look(places, now)
    aside = path.rename(places.store / "aside")
    found = look(places, now)
    aside.rename(path)
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(TESTS, STEPS)
def test_status_by_the_summary_is_the_status_by_every_record(tests: list[Probe], steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as top:
        folders = (Path(top) / "0", Path(top) / "1")
        places = Places(folders, Path(top) / "store", MONITORS)
        for folder in (*folders, Path(top) / "lines"):
            folder.mkdir()
        for number, step in enumerate(steps):
            for test in tests:
                if test.late == number:
                    text = line(NOON + test.at, test.state, test.monitor, downtime=int(test.downtime))
                    text = text.replace("\thost\t", f"\thost{test.host}\t")
                    for folder in (folders[test.host], Path(top) / "lines"):
                        write(folder, [(NOON + test.at, text)])
            now = NOON + step.at
            if step.collects:
                kept = {
                    path: path.read_bytes() for each in folders for path in each.iterdir() if path.is_file()
                }
                collect(folders, places.store, places.rules if step.knows else {}, keep=KEEP, now=now)
                for path, data in kept.items():
                    if step.again and not path.exists():
                        path.write_bytes(data)
                        collect(folders, places.store, places.rules, keep=KEEP, now=now)
            for moment in (now, now + HOUR, now + DAY):
                found = look(places, moment * 1000)
                assert found == by_everything(places, moment * 1000)
                if all(each.knows for each in steps) and moment > NOON + 10 * HOUR:
                    # Lines that nobody collects are looked at one by one, whatever file they are in; but
                    # that there will be tests of a monitor, for a clock set back, only a collector knows.
                    assert (
                        found.rows
                        == look(Places((Path(top) / "lines",), Path(top), MONITORS), moment * 1000).rows
                    )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Two days of a monitor that fails since the last of them, collected but for its last hour."""
    (tmp_path / "records").mkdir()
    series(tmp_path / "records", NOON - 2 * DAY, [0] * 160 + [2] * 32, 900, identity="A")
    found = Places((tmp_path / "records",), tmp_path / "store", MONITORS[:1])
    collect(found.folders, found.store, found.rules, keep=KEEP, now=NOON)
    return found


def trusted(places: Places) -> bool:
    return summary.load(places.store, load(places.store), NOON * 1000) is not None


def test_the_summary_is_what_is_read(places: Places) -> None:
    """Told otherwise by it, the status is another: nothing else is looked at."""
    assert trusted(places)
    (row,) = look(places, NOON * 1000).rows
    assert (row.state, row.since) == ("Lost", (NOON - 32 * 900 + 4 * 900) * 1000)
    known = summary.load(places.store, load(places.store), NOON * 1000)
    assert known is not None
    known["A"].changed = NOON
    summary.save(places.store, load(places.store), known, NOON * 1000)
    assert look(places, NOON * 1000).rows[0].since == NOON
    assert by_everything(places, NOON * 1000).rows[0].since == row.since


@pytest.mark.parametrize("how", ["cut", "spoiled", "other file", "no file", "older version", "set back"])
def test_a_summary_that_does_not_match_the_files_is_not_believed(places: Places, how: str) -> None:
    path = places.store / "summary.json"
    data = path.read_bytes()
    part = places.store / load(places.store).parts[0].name
    now = NOON * 1000
    if how == "cut":
        path.write_bytes(data[:-10])
    elif how == "spoiled":
        path.write_bytes(data.replace(b'"A"', b'"B"'))
    elif how == "other file":
        other = part.read_bytes()
        part.unlink()
        part.write_bytes(other)
    elif how == "no file":
        path.unlink()
    elif how == "older version":
        path.write_bytes(data.replace(b'"version": "0', b'"version": "9'))
    else:
        now -= 60_000
    assert summary.load(places.store, load(places.store), now) is None
    assert [each.id for each in look(places, NOON * 1000).rows] == ["A"]
    if how == "set back":
        return
    collect(places.folders, places.store, places.rules, keep=KEEP, now=NOON)
    assert trusted(places)


def test_tests_of_the_future_leave_no_summary(places: Places) -> None:
    collect(places.folders, places.store, places.rules, keep=KEEP, now=NOON - 2 * HOUR)
    assert not (places.store / "summary.json").exists()
    assert look(places, (NOON - 2 * HOUR) * 1000).rows[0].last == (NOON - 2 * HOUR - 900) * 1000


def test_a_failure_of_one_host_among_the_quiet_tests_of_another_ends_where_they_say(tmp_path: Path) -> None:
    """Two files whose tests lie among each other: what is quiet in one ends an outage in the other."""
    folders, reference = (tmp_path / "0", tmp_path / "1"), tmp_path / "lines"
    for folder in (*folders, reference):
        folder.mkdir()
    tests = [(0, number * 590, 0) for number in range(6)] + [(1, 1500, 2), (1, 1510, 2)]
    for host, at, state in tests:
        text = line(NOON + at, state, "A").replace("\thost\t", f"\thost{host}\t")
        for folder in (folders[host], reference):
            write(folder, [(NOON + at, text)])
    places = Places(folders, tmp_path / "store", MONITORS[:1])
    now = (NOON + HOUR + 600) * 1000
    collect(folders, places.store, places.rules, keep=KEEP, now=now / 1000)
    assert len(load(places.store).parts) == 2
    found = look(places, now)
    assert found == by_everything(places, now) == look(Places((reference,), tmp_path, MONITORS[:1]), now)
    assert (found.rows[0].shares.up, found.rows[0].shares.down) == (3_675_000, 270_000)
