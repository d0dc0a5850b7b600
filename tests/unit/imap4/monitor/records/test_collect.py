"""The store: nothing is lost, nothing is there twice, whatever happens while it is collected."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from imap4.monitor.records import changes, lines
from imap4.monitor.records.collect import collect
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.records.manifest import load, locked
from imap4.monitor.records.reading import ask
from imap4.monitor.states import Delays, Rules
from tests.unit.imap4.monitor.conftest import Run
from tests.unit.imap4.monitor.records.writing import (
    KEEP,
    NOON,
    broken_in,
    collected,
    line,
    moments_in,
    series,
    write,
)

ROOT = Path(__file__).parents[5]
DAY = 86400


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of records and a store."""
    (tmp_path / "records").mkdir()
    return tmp_path / "records", tmp_path / "store"


def written(moments: list[float], identity: str = "Mail") -> list[tuple[str, int]]:
    return [(identity, round(moment * 1000)) for moment in moments]


def test_hours_become_files_and_days_one_file_and_questions_see_the_same_throughout(
    places: tuple[Path, Path],
) -> None:
    folder, store = places
    series(folder, NOON, [0] * 30)
    meant = written([NOON + 300 * number for number in range(30)])
    assert moments_in(folder, store) == meant
    collected(folder, store, NOON + 5400)  # the first hour is over, the second is not
    assert [part.rows for part in load(store).parts] == [12]
    assert moments_in(folder, store) == meant
    collected(folder, store, NOON + 4 * 3600)
    assert [part.rows for part in load(store).parts] == [12, 12, 6]
    assert [path.name for path in folder.iterdir() if path.is_file()] == []
    collected(folder, store, NOON + DAY)
    assert [(part.rows, part.whole) for part in load(store).parts] == [(30, True)]
    assert len(list(store.glob("*.parquet"))) == 1
    assert moments_in(folder, store) == meant


def test_what_comes_late_is_added_to_its_day(places: tuple[Path, Path]) -> None:
    folder, store = places
    series(folder, NOON, [0] * 3)
    collected(folder, store, NOON + DAY)
    write(folder, [(NOON + 7, line(NOON + 7))])
    collected(folder, store, NOON + DAY)
    assert [(part.rows, part.whole) for part in load(store).parts] == [(4, True)]
    assert moments_in(folder, store) == sorted(written([NOON, NOON + 300, NOON + 600, NOON + 7]))


def test_the_same_file_again_is_not_counted_twice(places: tuple[Path, Path]) -> None:
    folder, store = places
    series(folder, NOON, [0] * 3)
    (path,) = folder.iterdir()
    data = path.read_bytes()
    collected(folder, store, NOON + DAY)
    path.write_bytes(data)
    done = collect([folder], store, {}, keep=KEEP, now=NOON + DAY)
    assert done is not None
    assert (done.rows, done.again) == (0, 1)
    assert len(moments_in(folder, store)) == 3


def test_files_are_ordinary_parquet_with_the_rules_of_their_time(places: tuple[Path, Path]) -> None:
    folder, store = places
    series(folder, NOON, [0, 2], downtime=1)
    collected(folder, store, NOON + DAY, {"Mail": (Rules(Delays(1, 2, 3, 4), 5, 6), 7)})
    (path,) = store.glob("*.parquet")
    found = duckdb.execute("select * from read_parquet(?) order by moment", [str(path)])
    names = [each[0] for each in found.description or ()]
    assert names == list(lines.COLUMNS)
    good, bad = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    assert [good[name] for name in lines.RULES] == [1, 2, 3, 4, 5, 6, 7]
    assert (float(good["greeting"]), good["downtime"], good["days_left"]) == (0.01, True, 30.5)
    assert (bad["state"], bad["cause"], bad["connect"]) == (2, "connect.refused", None)
    assert bad["message"] == "IMAP4 CRITICAL - mail:143 connection refused [connect.refused]"
    assert str(good["moment"]) == "2026-10-05 12:00:00"


_SPOILED = [
    pytest.param(b"\n1\t1759665600.0\t0.1\tMail\tmail", 1, id="cut short"),
    pytest.param(b"\n\xff\xfe\n", 1, id="not UTF-8"),
    pytest.param(b"\0" * 4096, 1, id="NUL"),
    pytest.param(b"\n" + b"x" * 3_000_000 + b"\n", 1, id="endless"),
    pytest.param(b'\n"quoted\n"\n', 2, id="quotes"),
    pytest.param(line(NOON).replace("\n1\t", "\n2\t").encode(), 1, id="a newer version"),
    pytest.param(line(NOON).replace("\t0\t", "\t9\t").encode(), 1, id="no state"),
    pytest.param(b"\n\1\2\3\n", 1, id="controls"),
]


@pytest.mark.parametrize(("spoiled", "count"), _SPOILED)
def test_broken_lines_are_counted_and_their_file_put_aside_and_named(
    places: tuple[Path, Path], imap4_monitor: Run, spoiled: bytes, count: int
) -> None:
    folder, store = places
    series(folder, NOON - 5 * DAY, [0] * 3)
    (path,) = folder.iterdir()
    with path.open("ab") as file:
        file.write(spoiled)
    write(folder, [(NOON - 5 * DAY + 900, line(NOON - 5 * DAY + 900))])
    assert len(moments_in(folder, store)) == 4
    collected(folder, store, NOON)
    assert len(moments_in(folder, store)) == 4
    assert broken_in(store) == {"20260930T12": count}
    (aside,) = (folder / "broken").iterdir()
    assert spoiled in aside.read_bytes()
    said = imap4_monitor("records", "show", "--store", str(store)).stdout
    assert f"2026-09-30 12:00 UTC: {count} lines could not be read\n" in said
    assert f"put aside: {aside}\n" in said


def test_what_is_no_file_of_records_stays_where_it_is(places: tuple[Path, Path]) -> None:
    folder, store = places
    (folder / "notes.txt").write_text("mine")
    (folder / "20260930T12-0.tsv").symlink_to("/etc/passwd")
    (folder / "20260930T13-0.tsv").mkdir()
    done = collect([folder, folder / "none"], store, {}, keep=KEEP, now=NOON)
    assert done is not None
    assert done.troubles == [f"{folder}/none: is not there"]
    assert len(list(folder.iterdir())) == 3
    assert moments_in(folder, store) == []


def test_old_tests_go(places: tuple[Path, Path]) -> None:
    folder, store = places
    for day in range(4):
        series(folder, NOON + day * DAY, [0] * 2)
    collect([folder], store, {}, keep=2 * DAY, now=NOON + 4 * DAY)
    assert [moment // 1000 for _, moment in moments_in(folder, store)] == [
        *(NOON + 2 * DAY, NOON + 2 * DAY + 300, NOON + 3 * DAY, NOON + 3 * DAY + 300)
    ]
    assert len(list(store.glob("*.parquet"))) == 2


def test_of_two_collectors_one_waits(places: tuple[Path, Path]) -> None:
    folder, store = places
    series(folder, NOON, [0] * 3)
    with locked(store):
        assert collect([folder], store, {}, keep=KEEP, now=NOON + DAY, wait=False) is None
        waiting = threading.Thread(target=collected, args=(folder, store, NOON + DAY))
        waiting.start()
        assert load(store).parts == []
    waiting.join(60)
    assert [part.rows for part in load(store).parts] == [3]


def test_a_store_of_a_newer_version_is_left_alone(places: tuple[Path, Path]) -> None:
    folder, store = places
    store.mkdir()
    (store / "manifest.json").write_text('{"format": 2}')
    series(folder, NOON, [0])
    with pytest.raises(RecordsError, match="format 2 is not known here"):
        collected(folder, store, NOON + DAY)
    assert (store / "manifest.json").read_text() == '{"format": 2}'


KILLED = """
# Each step in processes of their own, forked before DuckDB has a thread: starting Python anew would take
# most of the time.
import os, shutil, signal, sys, traceback
from pathlib import Path
from imap4.monitor.records.manifest import load
from tests.unit.imap4.monitor.records.writing import NOON, broken_in, collected, moments_in, series
from imap4.monitor.reports.asking import Places
from imap4.monitor.reports.status import look
import duckdb

WATCHED = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "open")
DAY = 86400

def killed_at(top, left):
    def look(event, arguments):
        nonlocal left
        if event in WATCHED and str(arguments[0]).startswith(top):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(look)
    collected(Path(top) / "records", Path(top) / "store", NOON + DAY)

def same_status(folder, store):
    places = Places((folder,), store, ())
    found = look(places, (NOON + 14 * 300) * 1000)
    path = store / "summary.json"
    if path.exists():
        path.rename(store.parent / "summary.json")
    assert look(places, (NOON + 14 * 300) * 1000) == found
    if (store.parent / "summary.json").exists():
        (store.parent / "summary.json").rename(path)

def look_after(top, meant):
    folder, store = Path(top) / "records", Path(top) / "store"
    assert moments_in(folder, store) == meant
    same_status(folder, store)
    collected(folder, store, NOON + DAY)
    assert moments_in(folder, store) == meant
    same_status(folder, store)
    assert broken_in(store) == {"20261005T12": 1}
    assert len(list((folder / "broken").iterdir())) == 1
    names = [part.name for part in load(store).parts]
    assert sorted(path.name for path in store.iterdir()) == [
        *names, "lock", "manifest.json", "summary.json"
    ]

def forked(function, *arguments):
    child = os.fork()
    if not child:
        code = 1
        try:
            function(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for step in range(1, 200, 2):
    top = f"{sys.argv[1]}/{step}"
    series(Path(top) / "records", NOON, [0] * 8 + [2] * 6)
    with open(f"{top}/records/20261005T12-0.tsv", "a") as file:
        file.write("\\nbroken\\n")
    meant = [("Mail", (NOON + 300 * number) * 1000) for number in range(14)]
    code = forked(killed_at, top, step)
    assert forked(look_after, top, meant) == 0, step
    shutil.rmtree(top)
    if code == 0:
        break
    assert code == -9, code
print(step - 1)
"""


@pytest.mark.slow
def test_a_collector_killed_at_any_step_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    """Killed before each of its changes in turn; what is seen then, and after the next, is what there was."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 15


def test_the_command_says_what_it_did(imap4_monitor: Run, places: tuple[Path, Path]) -> None:
    folder, store = places
    series(folder, NOON - 400 * DAY, [0] * 3)
    ended = imap4_monitor("records", "collect", str(folder), "--store", str(store), "--keep", "9999d")
    assert (ended.stdout, ended.stderr, ended.returncode) == (f"{store}: 3 tests out of 1 files\n", "", 0)


def test_a_store_that_cannot_be_written_is_one_clear_line(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    ended = imap4_monitor("records", "collect", str(tmp_path), "--store", str(tmp_path / "store"))
    said = f"records: {tmp_path}/store: cannot be written: File exists\n"
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", said, 3)


def test_without_duckdb_the_extra_is_named(imap4_monitor: Run, tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ImportError\n")  # the folder that it runs in comes first
    ended = imap4_monitor("records", "collect", str(tmp_path), "--store", str(tmp_path / "store"))
    assert ended.stderr == "records: the package duckdb is missing: pip install 'check_imap4[reports]'\n"
    assert ended.returncode == 3


def test_a_damaged_file_of_the_store_is_named_and_put_aside(
    places: tuple[Path, Path], imap4_monitor: Run
) -> None:
    folder, store = places
    for day in (0, 1):
        series(folder, NOON + day * DAY, [0] * 3)
    collected(folder, store, NOON + 3 * DAY)
    first, second = (store / part.name for part in load(store).parts)
    first.write_bytes(first.read_bytes()[:-50])
    with pytest.raises(RecordsError, match=f"{first}: is damaged; 'imap4-monitor records collect' puts it"):
        moments_in(folder, store)
    shown = imap4_monitor("records", "show", "--store", str(store))
    assert f"damaged: {first}; records collect puts it aside\n" in shown.stdout
    assert shown.returncode == 1
    done = collect([folder], store, {}, keep=KEEP, now=NOON + 3 * DAY)
    assert done is not None
    assert done.troubles == [f"{store / 'broken' / first.name}: 3 tests are lost: it is damaged"]
    assert len(moments_in(folder, store)) == 3
    second.unlink()
    collected(folder, store, NOON + 3 * DAY)
    assert moments_in(folder, store) == []


def test_many_tests_are_looked_at_in_portions(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = places
    for name in "abcdefg":
        series(folder, NOON, [0, 2, 2, 0], identity=name)
    collected(folder, store, NOON + DAY)

    def look() -> tuple[object, object]:
        span = (NOON * 1000, (NOON + 3600) * 1000)
        return ask([folder], store, {}, span, lambda reader: (reader.changes(span[0]), reader.figures(*span)))

    whole = look()
    monkeypatch.setattr(changes, "_PORTION", 5)
    assert look() == whole
    assert set(whole[0]) == set("abcdefg")  # type: ignore[call-overload]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can be somebody else")
def test_root_collects_as_the_user_whose_checks_record(their_folder: Path) -> None:
    folder, store = their_folder / "records", their_folder / "store"
    for path in (folder, store):
        path.mkdir()
    series(folder, NOON, [0] * 3)
    for path in (folder, store, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    collected(folder, store, NOON + DAY)
    assert len(moments_in(folder, store)) == 3
    made = [*folder.rglob("*"), *store.rglob("*")]
    assert {path.stat().st_uid for path in made} == {65534}
